"""mem0's quick-start with one import changed. Needs MEMOS_URL and MEMOS_API_KEY of a running service.

python examples/quickstart_mem0.py alice
"""

import sys

from memos.integrations.mem0 import Memory


def main() -> None:
    user = sys.argv[1]
    memory = Memory()
    added = memory.add("I'm improving my tennis skills. Where can I play?", user_id=user, metadata={"kind": "hobby"})
    memory_id = added["results"][0]["id"]
    for found in memory.search("What are the hobbies of this user?", user_id=user)["results"]:
        print(f"found: {found['memory']}")
    memory.update(memory_id=memory_id, data="Likes to play tennis on weekends")
    for event in memory.history(memory_id=memory_id):
        print(f"{event['event']}: {event['new_memory']}")
    memory.delete(memory_id=memory_id)


if __name__ == "__main__":
    main()
