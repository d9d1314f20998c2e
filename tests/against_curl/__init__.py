"""The modules of `fetch_against_curl.py`."""
