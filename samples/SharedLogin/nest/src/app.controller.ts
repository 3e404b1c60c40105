import { Body, Controller, Get, Post, Redirect, Req, Session } from '@nestjs/common';
import type { Request } from 'express';
import { books } from './books.js';
import { escape, page } from './page.js';
import type { Visitor } from './visitor.js';

// The redirect must not be faster than the store.
const done = (call: (callback: (error?: unknown) => void) => void) =>
  new Promise<void>((resolve, reject) => call((error) => (error ? reject(error) : resolve())));

@Controller()
export class AppController {
  @Get()
  home(@Session() session: Visitor) {
    return page(session, 'Books by the sea', `<ul class="books">${books.map((book) => `
      <li style="--hue: ${book.hue}">
        <h2>${book.title}</h2>
        <p>${book.author} · €${book.price}</p>
        <form method="post" action="/cart"><input type="hidden" name="sku" value="${book.sku}"><button>Add to cart</button></form>
      </li>`).join('')}</ul>`);
  }

  @Get('sign-in')
  signInPage(@Session() session: Visitor) {
    return page(session, 'Sign in', `<form method="post" class="card">
      <label>Name <input name="name" required maxlength="40" autocomplete="username"></label>
      <button>Sign in</button>
      <p>Any name will do.</p>
    </form>`);
  }

  @Post('sign-in')
  @Redirect('/account', 303)
  async signIn(@Req() request: Request, @Body('name') name: string) {
    const { cart, city, note } = request.session;
    await done((callback) => request.session.regenerate(callback));
    Object.assign(request.session, { user: { name: String(name).slice(0, 40) }, cart, city, note });
    await done((callback) => request.session.save(callback));
  }

  @Get('account')
  account(@Session() session: Visitor) {
    return page(session, 'Account', `<form method="post" class="card">
      <p>${session.user ? `Signed in as <strong>${escape(session.user.name)}</strong>.` : 'Nobody is signed in.'}</p>
      <p>Note for the courier, written at the cart: <output>${escape(session.note ?? 'none')}</output></p>
      <label>Deliver to <input name="city" value="${escape(session.city ?? '')}" maxlength="40"></label>
      <button>Keep</button>
    </form>`);
  }

  @Post('account')
  @Redirect('/account', 303)
  async keep(@Req() request: Request, @Body('city') city: string) {
    request.session.city = String(city).slice(0, 40);
    await done((callback) => request.session.save(callback));
  }

  @Post('sign-out')
  @Redirect('/', 303)
  async signOut(@Req() request: Request) {
    await done((callback) => request.session.destroy(callback));
  }
}
