"""What runs on a site, under the Python that is there (3.8 or newer), with nothing but its standard library.

``run`` supervises one task on a node; ``serve`` is the agent on the login node. Both are shipped as one zipped
application, so modules here import each other relatively and nothing else of Isthmus. What ``run`` needs to start
a plain program is imported at once; everything dearer (threads, HTTP, sockets) when first used, since a job of a
second is a job too.
"""
