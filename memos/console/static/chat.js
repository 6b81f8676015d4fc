// A turn with its tokens as they come. Without this the form sends the turn and shows the page again.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("say");
  const turns = document.getElementById("turns");
  if (!form || !turns || !window.TextDecoderStream) return;
  const field = form.querySelector("textarea");
  const button = form.querySelector("button.primary");
  const stop = form.querySelector("[data-stop]");
  const said = document.getElementById("chat-said");
  let turnId = null;

  const fresh = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  function part(className, who, words) {
    const block = document.createElement("div");
    block.className = className;
    const name = document.createElement("p");
    name.className = "who";
    name.textContent = who;
    const text = document.createElement("p");
    text.className = "text";
    text.textContent = words;
    block.append(name, text);
    return [block, text];
  }

  function begun(words) {
    document.getElementById("nothing-said")?.remove();
    const article = document.createElement("article");
    article.className = "turn coming";
    const [question] = part("said", form.dataset.user, words);
    const [answer, text] = part("said answer", "answer", "");
    article.append(question, answer);
    turns.append(article);
    article.scrollIntoView({ block: "end" });
    return [article, text];
  }

  async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
        const lines = rest.slice(0, end).split("\n");
        rest = rest.slice(end + 2);
        const of = (field) => lines.find((line) => line.startsWith(field + ": "))?.slice(field.length + 2);
        if (of("event")) yield [of("event"), JSON.parse(of("data"))];
      }
    }
  }

  function failed(article, problem) {
    const words = document.createElement("p");
    words.className = "problem";
    words.setAttribute("role", "alert");
    words.textContent = `${problem.detail || problem.title || "The answer did not come."} ${problem.hint || ""}`;
    article.append(words);
  }

  async function send(words) {
    const [article, text] = begun(words);
    const body = new URLSearchParams(new FormData(form));
    body.set("key", fresh());
    body.set("stream", "yes");
    const answer = await fetch(form.action, {
      method: "POST", body, headers: { "X-CSRF-Token": document.body.dataset.csrf, "HX-Request": "true" },
    });
    if (answer.status === 401) { location.reload(); return; }
    if (!answer.ok || !answer.body) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      failed(article, { detail: page.body.textContent.trim() });
      return;
    }
    turnId = answer.headers.get("X-Memos-Turn");
    stop.hidden = turnId === null;
    for await (const [name, data] of events(answer.body)) {
      if (name === "token") {
        text.textContent += data.text;
        article.scrollIntoView({ block: "end" });
      } else if (name === "error") {
        failed(article, data);
      } else if (name === "done") {
        await htmx.ajax("GET", `/console/turns/${data.id}`, { target: article, swap: "outerHTML" });
        document.getElementById(data.id)?.scrollIntoView({ block: "end" });
        said.textContent = "Answered.";
      }
    }
    article.classList.remove("coming");
  }

  form.dataset.stays = "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const words = field.value;
    if (!words.trim() || button.disabled) return;
    button.disabled = true;
    said.textContent = "Answering…";
    try {
      const sending = send(words);
      field.value = "";
      await sending;
    } catch {
      said.textContent = "The connection was lost. Reload the page to see what became of the turn.";
    } finally {
      button.disabled = false;
      stop.hidden = true;
      turnId = null;
      field.focus();
    }
  });
  stop.addEventListener("click", () => {
    if (!turnId) return;
    fetch(`/console/turns/${turnId}/cancel`, {
      method: "POST", headers: { "X-CSRF-Token": document.body.dataset.csrf, "HX-Request": "true" },
    });
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  turns.lastElementChild?.scrollIntoView({ block: "end" });
});
