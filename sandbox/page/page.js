// Sends what a form or a button says to the sandbox as JSON, then shows the page anew.
"use strict";

const READERS = {
  json: (field) => JSON.parse(field.value),
  number: (field) => Number(field.value),
  "number-or-null": (field) => (field.value === "" ? null : Number(field.value)),
  tick: (field) => field.checked,
  words: (field) => {
    const words = field.value.split(",").map((word) => word.trim()).filter(Boolean);
    return words.length ? words : null;
  },
};

function bodyOf(form) {
  const fields = [...form.elements].filter((field) => field.name);
  return Object.fromEntries(
    fields.map((field) => [field.name, (READERS[field.dataset.as] ?? ((f) => f.value))(field)]),
  );
}

async function send({ method, path }, body) {
  const answer = await fetch(`/_sandbox/${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (answer.ok) {
    location.reload();
  } else {
    document.getElementById("said").textContent = await answer.text();
  }
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  send(event.target.dataset, bodyOf(event.target));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[type=button]");
  if (!button) return;
  if ("reload" in button.dataset) location.reload();
  if (!button.dataset.path) return;
  if (!button.dataset.ask || confirm(button.dataset.ask)) send(button.dataset);
});
