// What every page does: after an answer came in place, the reader stands at its heading; a lost session shows its door.
"use strict";

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "answer") document.getElementById("found")?.focus();
});

document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) location.reload();
});
