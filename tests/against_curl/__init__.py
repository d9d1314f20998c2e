"""The rooms of `fetch_against_curl.py`."""
