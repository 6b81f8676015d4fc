"""The REST API: routes, problem documents, limits. No rule of the business lives here."""
