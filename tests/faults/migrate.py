"""Migrates the database at MEMOS_DATABASE_ADMIN_URL: a program that can be killed in the middle of it."""

import os

from migrations import runner

if __name__ == "__main__":
    runner.upgrade(os.environ["MEMOS_DATABASE_ADMIN_URL"])
