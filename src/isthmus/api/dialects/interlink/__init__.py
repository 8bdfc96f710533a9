"""interLink: a Kubernetes cluster hands pods to a site through its virtual kubelet.

    virtual kubelet ──HTTP──▶ API server (edge) ──HTTP──▶ plugin (site)
                              :mod:`.edge`                :mod:`.plugin`

``plugin`` takes the place of the stock plugins; ``edge`` that of the stock API server, in front of our plugin or
of another one. A pod becomes one :class:`~isthmus.work.job.JobSpec` (:mod:`.pod`), what the site tells of it the
statuses that the stock virtual kubelet understands (:mod:`.statuses`).
"""
