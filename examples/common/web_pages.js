"use strict";
{
  const shown = document.body.dataset.session;
  const look = async () => {
    try {
      const answer = await fetch("/status.json", { cache: "no-store" });
      if (answer.ok && (await answer.json()).session !== shown) location.replace("/");
    } catch {
      // The server is away: what is shown stays.
    }
  };
  addEventListener("focus", look);
  addEventListener("pageshow", (event) => event.persisted && look());
  document.addEventListener("visibilitychange", () => document.hidden || look());
}
