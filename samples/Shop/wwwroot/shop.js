// Keeps what is typed into a form marked data-draft, one field at a time. Without this script the form's own submit keeps it.
for (const form of document.querySelectorAll("form[data-draft]")) {
    const status = form.querySelector("output");
    const waiting = new Map();
    let sending = Promise.resolve();

    // One after another, so that an older value never arrives after a newer one.
    const save = ({ name, value }) => {
        waiting.delete(name);
        sending = sending
            .then(() => fetch(form.dataset.draft + name, {
                method: "PUT",
                headers: { "Content-Type": "application/json" },
                body: JSON.stringify(value),
                keepalive: true,
            }))
            .then(response => { status.textContent = response.ok ? "Kept" : "Not kept"; })
            .catch(() => { status.textContent = "Not kept: no connection"; });
    };

    form.addEventListener("input", ({ target }) => {
        clearTimeout(waiting.get(target.name)?.timer);
        waiting.set(target.name, { timer: setTimeout(save, 400, target), target });
        status.textContent = "";
    });

    // A form that is sent carries every field itself; a page that is left has no more time to wait.
    const settle = keep => {
        for (const { timer, target } of waiting.values()) {
            clearTimeout(timer);
            if (keep) {
                save(target);
            }
        }
        waiting.clear();
    };
    form.addEventListener("submit", () => settle(false));
    addEventListener("pagehide", () => settle(true));
}

// Tells of orders for as long as the user is signed in on this device. A stream that ended is asked for again, and refused to whoever is not.
for (const feed of document.querySelectorAll("[data-feed]")) {
    const status = feed.querySelector("[role=status]");
    const lines = feed.querySelector("ul");
    const source = new EventSource(feed.dataset.feed);
    const close = () => source.close();

    source.addEventListener("order", ({ data }) => {
        const line = document.createElement("li");
        line.textContent = data;
        lines.prepend(line);
    });
    source.addEventListener("error", () => {
        if (source.readyState === EventSource.CLOSED) {
            status.textContent = "You were signed out on this device, so nothing more is told here.";
            status.classList.add("problem");
        }
    });
    addEventListener("pagehide", close);
}
