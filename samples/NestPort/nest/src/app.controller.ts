import { Body, Controller, Get, HttpCode, Param, Post, Req, Session, UseGuards } from '@nestjs/common';
import type { Request } from 'express';
import { SignedIn } from './signed-in.guard.js';

@Controller()
export class AppController {
  @Get('visits')
  visits(@Session() session: Record<string, any>) {
    session.visits = (session.visits ?? 0) + 1;
    return { visits: session.visits };
  }

  @Post('login')
  @HttpCode(200)
  async login(@Req() request: Request, @Body() body: { name: string }) {
    await new Promise<void>((resolve, reject) => request.session.regenerate((error) => (error ? reject(error) : resolve())));
    const session: Record<string, any> = request.session;
    session.user = { name: body.name };
    return { user: session.user };
  }

  @Get('profile')
  @UseGuards(SignedIn)
  profile(@Session() session: Record<string, any>) {
    return { user: session.user };
  }

  @Post('cart/:sku')
  @HttpCode(200)
  add(@Session() session: Record<string, any>, @Param('sku') sku: string) {
    session.cart ??= [];
    session.cart.push(sku);
    return { cart: session.cart };
  }

  @Get('cart')
  cart(@Session() session: Record<string, any>) {
    return { cart: session.cart ?? [] };
  }

  @Post('logout')
  @HttpCode(204)
  async logout(@Req() request: Request) {
    await new Promise<void>((resolve, reject) => request.session.destroy((error) => (error ? reject(error) : resolve())));
  }
}
