"""The run file while a walk writes it: created whole, appended in transactions, resumed."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from polyspline.domains import Domain
from polyspline.errors import InvariantError, OutputError, RunFileError
from polyspline.files import publish, reserved_beside
from polyspline.network import Network
from polyspline.partition import run_schema as schema
from polyspline.partition.packing import CodePacking
from polyspline.partition.run_batch import SERIES, Batch
from polyspline.partition.run_create import (
    check_resumable,
    check_same,
    create_run_file,
    exists,
    fill_run_file,
    stopped_writing,
    unwritable,
)
from polyspline.partition.run_state import WalkState, read_state
from polyspline.partition.stop import StopReason

COMMIT_SECONDS = 1.0
COMMIT_BYTES = 1 << 24


class RunWriter:
    """Writes a walk into its run file; made by `create` or `open_for_resume`.

    Appended batches are kept in memory and committed in one transaction about
    once a second or every 16 MiB, so that a kill loses at most the last second.
    A writer belongs to one thread at a time and must not be carried over a fork.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, n_words: int, dim: int) -> None:
        self._path = path
        self._connection = connection
        self._n_words = n_words
        self._dim = dim
        self._committed = schema.read_progress(connection)
        self._pending: list[Batch] = []
        self._left_out: int | None = None
        self._last_commit = time.monotonic()
        self._closed = False

    @property
    def path(self) -> Path:
        """The run file."""
        return self._path

    @property
    def _target(self) -> schema.Progress:
        """Counters once everything pending is committed."""
        return self._pending[-1].after if self._pending else self._committed

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        net: Network,
        domain: Domain,
        options: Mapping[str, Any] | None = None,
    ) -> RunWriter:
        """Create a run file, which appears at once, whole and initialised.

        Parameters
        ----------
        path
            Name of the file; nothing may have it yet.
        net, domain
            What is walked; both are stored in the file.
        options
            JSON values (arrays become lists) kept with the run; `start` is the
            start point of the walk.

        Raises
        ------
        RunFileExistsError
            If something has that name already.
        OutputError
            If the file cannot be written there.
        """
        target = Path(path)
        create_run_file(target, net, domain, options or {})
        return cls._open(target, net)

    @classmethod
    @contextmanager
    def whole(
        cls, path: str | os.PathLike[str], net: Network, domain: Domain, options: Mapping[str, Any]
    ) -> Iterator[RunWriter]:
        """Write a run file that takes its name only at the end of the block, and not if the block fails.

        Raises
        ------
        RunFileExistsError, OutputError
            As `create`.
        """
        target = Path(path)
        if os.path.lexists(target):
            raise exists(target)
        try:
            with reserved_beside(target) as temporary:
                fill_run_file(temporary, net, domain, options)
                with cls._open(target, net, temporary) as writer:
                    yield writer
                publish(temporary, target)
        except FileExistsError:
            raise exists(target) from None
        except OutputError:
            raise
        except (OSError, sqlite3.Error) as failure:
            raise unwritable(target, failure) from failure

    @classmethod
    def open_for_resume(
        cls,
        path: str | os.PathLike[str],
        net: Network,
        domain: Domain,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[RunWriter, WalkState]:
        """Open a run file to continue it, or create it if there is none.

        Parameters
        ----------
        path
            The run file.
        net, domain
            What is walked; must be those of the file.
        options
            As in `create`; used only if the file is created.

        Returns
        -------
        RunWriter, WalkState
            The writer, placed after what is committed, and the state to continue
            from. What a limit had closed the run with is dropped at the first commit.

        Raises
        ------
        RunFileError
            If the file is not ours, damaged, newer, or of another network or domain.
        OutputError
            If there is no such file and none can be written.
        """
        target = Path(path)
        if not os.path.lexists(target):
            writer = cls.create(target, net, domain, options)
        else:
            schema.check_header(target)
            writer = cls._open(target, net)
        try:
            with schema.reading(target):
                writer._connection.execute("BEGIN")
                schema.check_seal(writer._connection, target)
                meta = schema.read_meta(writer._connection)
                check_same(target, meta, net, domain)
                check_resumable(target, meta, schema.read_finish(writer._connection))
                state = read_state(writer._connection, target, writer._n_words, net.latent_dim, meta)
                writer._connection.execute("COMMIT")
        except BaseException:
            writer._abandon()
            raise
        return writer, state

    @classmethod
    def _open(cls, path: Path, net: Network, file: Path | None = None) -> RunWriter:
        """Open a run file, which may have another name until it is whole."""
        with schema.reading(path):
            connection = schema.connect(path if file is None else file)
            try:
                schema.check_schema(connection, path)
                return cls(path, connection, CodePacking(net.n_pieces).n_words, net.latent_dim)
            except BaseException:
                connection.close()
                raise

    def append(
        self,
        packed: ArrayLike,
        points: ArrayLike,
        entries: ArrayLike,
        witnesses: ArrayLike,
        witness_exact: ArrayLike,
        edges: ArrayLike,
        edge_sources: ArrayLike,
        *,
        expanded: int,
        exact_fallbacks: int,
        seconds: float,
        exact_witnesses: Mapping[int, tuple[Fraction, ...]] | None = None,
        left_out: int | None = None,
    ) -> None:
        """Add what the walk found since the last call; one step, never torn apart.

        Parameters
        ----------
        packed, points, entries
            Newly found regions: (k, words) uint64, (k, S), (k,) int32.
        witnesses, witness_exact
            Newly expanded regions, in order: (m, S), (m,).
        edges, edge_sources
            Newly crossed facets: (e, 2), (e,).
        expanded, exact_fallbacks, seconds
            Totals after this call.
        exact_witnesses
            Rational witnesses of newly expanded regions that need them, by region.
        left_out
            First region with a neighbour that does not meet the ball, once that is known.

        Raises
        ------
        InvariantError
            If the counts contradict each other.
        OutputError
            If the file cannot be written (any more).
        """
        new_packed = np.array(packed, dtype=np.uint64).reshape(-1, self._n_words)
        new_witnesses = np.array(witnesses, dtype=np.float64).reshape(-1, self._dim)
        new_edges = np.array(edges, dtype=np.int32).reshape(-1, 2)
        before = self._target
        batch = Batch(
            new_packed,
            np.array(points, dtype=np.float64).reshape(-1, self._dim),
            np.array(entries, dtype=np.int32).reshape(-1),
            new_witnesses,
            np.array(witness_exact, dtype=np.uint8).reshape(-1),
            new_edges,
            np.array(edge_sources, dtype=np.int32).reshape(-1),
            dict(exact_witnesses or {}),
            schema.Progress(
                before.regions + len(new_packed),
                before.expanded + len(new_witnesses),
                before.edges + len(new_edges),
                int(exact_fallbacks),
                float(seconds),
            ),
        )
        batch.check(expanded)
        self._left_out = left_out
        # A single step, so that an interrupt leaves the batch either wholly pending or not at all.
        self._pending.append(batch)
        overdue = time.monotonic() - self._last_commit >= COMMIT_SECONDS
        if overdue or sum(waiting.nbytes for waiting in self._pending) >= COMMIT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Commit what is pending in one transaction.

        Raises
        ------
        RunFileError
            If another process wrote to the file meanwhile.
        OutputError
            If the file cannot be written.
        """
        if self._pending:
            with self._keeping_what_fits(), self._transaction() as connection:
                self._write_batches(connection, self._pending)
            self._pending_done()

    def _write_batches(self, connection: sqlite3.Connection, batches: list[Batch]) -> None:
        """Write the first pending batches, unless an interrupted flush had committed them already."""
        now = schema.read_progress(connection)
        if now != self._committed:
            # An interrupt between COMMIT and our note of it: the first batches are in the file already.
            done = [place for place, batch in enumerate(batches) if batch.after == now]
            if not done:
                raise RunFileError(
                    f"{self._path}: another process has written to this run file meanwhile; let only "
                    "one run use a file."
                )
            batches = batches[done[-1] + 1 :]
        if not batches:
            return
        self._drop_closing(connection)
        for series, counter in SERIES:
            rows = np.concatenate([getattr(batch, series) for batch in batches])
            schema.write_series(connection, series, getattr(now, counter), rows)
        for batch in batches:
            schema.write_exact_witnesses(connection, batch.exact_witnesses)
        if self._left_out is not None:
            schema.write_meta(connection, "left_out", self._left_out)
        after = batches[-1].after
        schema.write_progress(connection, after)

    def _pending_done(self) -> None:
        self._committed = self._target
        self._pending = []
        self._last_commit = time.monotonic()

    def _drop_closing(self, connection: sqlite3.Connection) -> None:
        """Delete what `finish` wrote: a run that goes on finds it again."""
        if schema.delete_rows(connection, "finish"):
            for series in schema.CLOSING_SERIES:
                schema.delete_rows(connection, "chunks", "series = ?", (series,))
            expanded = schema.read_progress(connection).expanded
            schema.delete_rows(connection, "exact_witnesses", "region >= ?", (expanded,))

    def finish(
        self,
        stop: StopReason,
        closing_edges: ArrayLike = (),
        closing_sources: ArrayLike = (),
        frontier_witnesses: ArrayLike = (),
        frontier_exact: ArrayLike = (),
        *,
        exact_fallbacks: int | None = None,
        seconds: float | None = None,
        exact_witnesses: Mapping[int, tuple[Fraction, ...]] | None = None,
    ) -> None:
        """Commit what is pending and say why the run stopped.

        Parameters
        ----------
        stop
            Why the run stopped.
        closing_edges, closing_sources
            Edges among the kept regions that `append` was not given: (e, 2), (e,).
        frontier_witnesses, frontier_exact
            Witnesses of the kept regions that are not expanded, (r, S) and (r,).
            The regions ``0 .. expanded + r - 1`` are kept.
        exact_fallbacks, seconds
            Totals with the closing included; by default those of the last append.
        exact_witnesses
            Rational witnesses of frontier regions that need them, by region.

        Raises
        ------
        InvariantError
            If the counts contradict each other.
        OutputError
            If the file cannot be written.
        """
        edges = np.array(closing_edges, dtype=np.int32).reshape(-1, 2)
        sources = np.array(closing_sources, dtype=np.int32).reshape(-1)
        witnesses = np.array(frontier_witnesses, dtype=np.float64).reshape(-1, self._dim)
        exact = np.array(frontier_exact, dtype=np.uint8).reshape(-1)
        kept = self._target.expanded + len(witnesses)
        if len(edges) != len(sources) or len(witnesses) != len(exact) or kept > self._target.regions:
            raise InvariantError(
                f"RunWriter.finish: {len(edges)} edges with {len(sources)} sources, {len(witnesses)} "
                f"witnesses with {len(exact)} flags and {kept} of {self._target.regions} regions "
                "contradict each other."
            )
        fallbacks = self._target.exact_fallbacks if exact_fallbacks is None else exact_fallbacks
        elapsed = self._target.seconds if seconds is None else seconds
        with self._keeping_what_fits(), self._transaction() as connection:
            self._write_batches(connection, self._pending)
            self._drop_closing(connection)
            schema.write_series(connection, "closing_edges", 0, edges)
            schema.write_series(connection, "closing_sources", 0, sources)
            schema.write_series(connection, "frontier_witnesses", 0, witnesses)
            schema.write_series(connection, "frontier_exact", 0, exact)
            schema.write_exact_witnesses(connection, dict(exact_witnesses or {}))
            schema.write_finish(
                connection,
                schema.Finish(stop.key, len(edges), len(witnesses), int(fallbacks), float(elapsed)),
            )
        self._pending_done()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction; rolled back on any exception, an interrupt included."""
        if self._closed:
            raise InvariantError("RunWriter: the writer is closed; a closed writer takes nothing more.")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            schema.upgrade(self._connection)
            yield self._connection
            self._connection.execute("COMMIT")
        finally:
            if not self._closed and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _keeping_what_fits(self) -> Iterator[None]:
        """End the writing when it fails; of what is pending, the batches that still fit are committed."""
        try:
            yield
        except sqlite3.Error as failure:
            if getattr(failure, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                self._commit_one_by_one()
            kept = self._committed.regions
            self._abandon()
            raise stopped_writing(self._path, failure, kept) from failure

    def _commit_one_by_one(self) -> None:
        """Commit the pending batches each by itself, until one does not fit."""
        with suppress(sqlite3.Error):
            while self._pending:
                with self._transaction() as connection:
                    self._write_batches(connection, self._pending[:1])
                self._committed = self._pending.pop(0).after

    def _abandon(self) -> None:
        """Close without writing; SQLite rolls an open transaction back."""
        self._closed = True
        self._pending = []
        self._connection.close()

    def close(self) -> None:
        """Commit what is pending and close the file; a second call does nothing."""
        if not self._closed:
            try:
                self.flush()
            finally:
                self._abandon()

    def __enter__(self) -> RunWriter:
        """Return the writer itself, to be closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file; what is pending is committed also after an exception."""
        self.close()
