"""The admin console at /console: pages for an admin with a browser. Part of the API process, rendered on the server."""
