"""HTCondor as the agent on a submit machine asks it, through its command line. Python 3.8, standard library.

Nothing that varies gets into a submit file but ids, numbers and names of a strict alphabet: all else is in
``order.json``, which travels with the job. One task is one job, found by its attributes ``IsthmusSubmission``
and ``IsthmusTask``; one ``condor_submit`` takes many submissions, so that a cluster's number alone says nothing.
The nodes share no files with the submit machine; :mod:`isthmus.work.runner.absorbing` tells how reports travel.
"""

from .batch import Batch as Batch
from .meeting import Meeting as Meeting
