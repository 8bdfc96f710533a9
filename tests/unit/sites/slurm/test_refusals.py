"""What sbatch says when it refuses, and what to do then."""

from __future__ import annotations

import pytest

from isthmus.sites.slurm.remote.refusals import is_busy, refusal

FAILED = "sbatch: error: Batch job submission failed: "


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (FAILED + "Invalid account or account/partition combination specified", "permanent"),
        (FAILED + "Invalid partition name specified", "permanent"),
        (FAILED + "Invalid qos specification", "permanent"),
        ("sbatch: error: Memory specification can not be satisfied\n" + FAILED + "Requested node configuration is not "
         "available", "permanent"),
        (FAILED + "Invalid feature specification", "permanent"),
        (FAILED + "Access/permission denied", "permanent"),
        (FAILED + "Requested time limit is invalid (missing or exceeds some limit)", "permanent"),
        ("sbatch: error: QOSMaxCpuPerJobLimit\n" + FAILED + "Job violates accounting/QOS policy (job submit limit, "
         "user's size and/or time limits)", "permanent"),
        ("sbatch: error: AssocMaxSubmitJobLimit\n" + FAILED + "Job violates accounting/QOS policy (job submit limit, "
         "user's size and/or time limits)", "quota"),
        ("sbatch: error: QOSMaxSubmitJobPerUserLimit\n" + FAILED + "Job violates accounting/QOS policy", "quota"),
        (FAILED + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", "quota"),
        (FAILED + "Required partition not available (inactive or drain)", "temporary"),
        (FAILED + "Unable to contact slurm controller (connect failure)", "temporary"),
        (FAILED + "Socket timed out on send/recv operation", "temporary"),
        ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", "temporary"),
        ("sbatch: error: a site's own rule says no\n" + FAILED + "Unspecified error", "permanent"),
        ("", "permanent"),
    ],
)  # fmt: skip
def test_a_refusal_says_whether_another_try_is_worth_it(said: str, kind: str):
    assert refusal(said).kind == kind


def test_its_words_are_slurms_own_in_one_line():
    said = (
        "sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: Invalid partition"
    )

    assert refusal(said).message == "invalid partition specified: x; Batch job submission failed: Invalid partition"


def test_a_controller_that_is_away_is_told_from_one_that_says_no():
    assert is_busy("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    assert not is_busy("slurm_kill_job error: Invalid job id specified")
