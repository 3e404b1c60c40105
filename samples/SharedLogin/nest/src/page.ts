import type { Visitor } from './visitor.js';

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
export const escape = (text: string) => text.replace(/[&<>"']/g, (character) => entities[character]);

// The same frame as in Page.cs.
export const page = (visitor: Visitor, title: string, body: string) => `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${title} · Harbour Books</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/site.css">
</head>
<body class="nest">
  <header>
    <a class="brand" href="/">Harbour Books</a>
    <nav>
      <a href="/cart">Cart <span class="count">${visitor.cart?.length ?? 0}</span></a>
      ${visitor.user
        ? `<a href="/account">${escape(visitor.user.name)}</a><form method="post" action="/sign-out"><button class="plain">Sign out</button></form>`
        : '<a href="/sign-in">Sign in</a>'}
    </nav>
  </header>
  <main>
    <h1>${title}</h1>
    ${body}
  </main>
  <footer>This page came from <strong>NestJS</strong> with express-session.</footer>
</body>
</html>`;
