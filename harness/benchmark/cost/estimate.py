"""What a run will cost, from its plan and a short measurement of the encoders on this device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.benchmark.cost.demand import Demand, demands
from harness.benchmark.cost.rates import encoder_rates, own_rates, pretraining_rate
from harness.benchmark.plan import Job
from harness.config.budgets import Budget
from harness.config.settings import Settings
from harness.data.store import MANIFEST, expected_bytes
from harness.training.conditions import digest
from harness.training.initialisation import pretrains

if TYPE_CHECKING:
    from harness.benchmark.run import Benchmark


@dataclass(frozen=True)
class Cost:
    """Hours of training and encoding, clips that pass an encoder, bytes of the store, measured rates, the trainings
    that searches of learning rates add, and the most memory that a step needs, with what needs it."""

    hours: float
    clips: int
    disk_bytes: int
    prepared: bool
    rates: str
    trials: int
    memory: int
    hungriest: str


@dataclass(frozen=True)
class _Work:
    """Clips that pass one encoder forward and backward, and forward alone."""

    trained: int
    encoded: int


def training_clips(settings: Settings, budget: Budget) -> int:
    """Clips that one training passes forward and backward."""
    return budget.steps * budget.episodes_per_step * settings.way * (settings.shot + budget.queries)


def estimate(benchmark: Benchmark, demanded: list[Demand] | None = None) -> Cost:
    """Time each encoder on a small random batch and multiply; heads on frozen features count as nothing.

    Args:
        demanded: what :func:`harness.benchmark.cost.demand.demands` found, where it is known already.
    """
    task = benchmark.task
    todo = [job for job in benchmark.jobs if benchmark.todo(job)]
    searches = pending_searches(benchmark, todo)
    seconds, clips, rates = 0.0, 0, []
    for modality in ("video", "sensors"):
        alike: dict[str, list[Job]] = {}  # jobs whose encoders work alike, and so are equally fast
        for job in todo:
            if modality in job.row.modalities and job.method.needs.outputs:
                spec = job.settings.video_encoder if modality == "video" else job.settings.sensor_encoder
                transformer = job.settings.transformer if job.settings.encoder == "transformer" else None
                alike.setdefault(f"{transformer!r} {spec!r} {job.settings.input!r}", []).append(job)
        for jobs in alike.values():
            work = _work(benchmark, modality, jobs, searches)
            settings, sensors = jobs[0].settings, tuple(task.store.sensors)
            train_rate, encode_rate = encoder_rates(modality, settings, sensors, benchmark.device)
            name = settings.video_encoder.name if modality == "video" else "convolutions"
            name = "transformer" if settings.encoder == "transformer" else name
            shape = f", {settings.input.frames} x {settings.input.size} px" if modality == "video" else ""
            which = f" ({name}{shape})"
            rates.append(f"{modality}{which * (len(alike) > 1)} {train_rate:.{2 * (train_rate < 10)}f} clips/s")
            seconds += work.trained / train_rate + work.encoded / encode_rate
            clips += work.trained + work.encoded
    speed: dict[str, float] = {}
    for job in _pretrainings(benchmark, todo):
        passes = job.settings.pretraining.passes(len(task.role_rows(job.regimen.classes)))
        kind = digest(job.start.protocol)
        if kind not in speed:
            speed[kind] = pretraining_rate(task, job, benchmark.device)
            rates.append(f"{job.start.name}'s pre-training {speed[kind]:.{2 * (speed[kind] < 10)}f} clips/s")
        seconds, clips = seconds + passes / speed[kind], clips + passes
    own_seconds, own_clips, own_rates = _own_networks(benchmark, todo, searches)
    seconds, clips, rates = seconds + own_seconds, clips + own_clips, rates + own_rates
    most = next(iter(demands(benchmark) if demanded is None else demanded), None)
    return Cost(
        seconds / 3600,
        clips,
        expected_bytes(len(task.store.clips), task.settings.store),
        (task.store.folder / MANIFEST).is_file(),
        ", ".join(rates) or "nothing",
        sum(len(job.budget.search) for job in searches.values() if job.budget),
        0 if most is None else most.needed,
        "" if most is None else most.what,
    )


def _pretrainings(benchmark: Benchmark, todo: list[Job]) -> list[Job]:
    """One job for each pre-training that is still to be done."""
    wanted = [each for job in todo for each in ((job, job.search) if job.search else (job,))]
    missing = {
        job.start.id(job.seed): job
        for job in wanted
        if job.start.network is not None and not benchmark.pretrainer.done(job.start, job.seed)
    }
    return list(missing.values())


def _own_networks(benchmark: Benchmark, todo: list[Job], searches: dict[str, Job]) -> tuple[float, int, list[str]]:
    """Seconds, clips and rates of networks that are methods' own, such as the prior of Mu-MAE."""
    task, seconds, clips, rates = benchmark.task, 0.0, 0, dict[str, tuple[float, float]]()
    told = list[str]()
    validation, novel = len(task.role_rows("validation")), len(task.role_rows("novel"))
    for job in todo:
        if not pretrains(job.method) or job.budget is None:
            continue
        kind = f"{job.label} {job.row.modalities} {job.settings.transformer!r} {job.settings.input!r}"
        if kind not in rates:
            rates[kind] = own_rates(task, job, benchmark.device)
            told.append(f"{job.label}'s own network on {job.row.modality_label} {rates[kind][0]:.0f} clips/s")
        tries = len(job.budget.search) - 1 if _searched(job, searches) else 0
        trained = (1 + tries) * training_clips(job.settings, job.budget) if job.regime == "tuned" else 0
        looks = (1 + tries) * validation * job.budget.looks if job.regime == "tuned" else len(task.clips)
        seconds += trained / rates[kind][0] + (looks + novel) / rates[kind][1]
        clips += trained + looks + novel
    return seconds, clips, told


def _searched(job: Job, searches: dict[str, Job]) -> bool:
    """Whether the search of a job's row is to be done with this very job."""
    return job.search is not None and job.search.row_id in searches and job.id == job.search.id


def pending_searches(benchmark: Benchmark, todo: list[Job]) -> dict[str, Job]:
    """Searches of learning rates that are still to be done, each once, by name."""
    return {job.search.row_id: job.search for job in todo if job.search and not benchmark.search.done(job)}


def _work(benchmark: Benchmark, modality: str, jobs: list[Job], searches: dict[str, Job]) -> _Work:
    task, shared = benchmark.task, benchmark.shared
    validation, novel = len(task.role_rows("validation")), len(task.role_rows("novel"))
    mine = [searches[job.search.row_id] for job in jobs if job.search and job.search.row_id in searches]
    tried = {job.row_id: job for job in mine}
    trained = encoded = 0
    used: dict[str, list[Job]] = {}
    for job in [*jobs, *tried.values()]:
        used.setdefault(shared.name(job.settings, modality, job.seed, job.regimen, job.encoder_start), []).append(job)
    for users in used.values():  # one encoder each
        settings = users[0].settings
        if settings.initialisation == "shared":
            trained += training_clips(settings, settings.encoder_training)
            encoded += validation * settings.encoder_training.looks
        if any(job.regime == "frozen" for job in users):
            encoded += len(task.clips)
    taken_over = {job.id for job in tried.values()}  # the winning trial is the training of its seed
    trainings = [(job, 1) for job in jobs if job.id not in taken_over]
    trainings += [(job, len(job.budget.search)) for job in tried.values() if job.budget]
    for job, times in trainings:
        if job.regime == "tuned" and job.budget is not None:
            trained += times * training_clips(job.settings, job.budget)
            encoded += times * validation * job.budget.looks
    encoded += novel * sum(job.regime == "tuned" for job in jobs)
    return _Work(trained, encoded)
