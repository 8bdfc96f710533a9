"""The native HTTP API, ``/v1``: it speaks to the service layer and to nothing below it."""
