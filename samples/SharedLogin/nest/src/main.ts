import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import session from 'express-session';
import { AppModule } from './app.module.js';
import { openStore } from './store.js';

const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error', 'warn'] });
app.set('trust proxy', 'loopback');
app.use(
  session({
    store: await openStore(process.env.STORE!, process.env.STORE_URL!),
    secret: process.env.SESSION_SECRET!,
    resave: false,
    saveUninitialized: false,
    cookie: { sameSite: 'lax', maxAge: 2 * 60 * 60 * 1000 },
  }),
);
await app.listen(process.env.PORT ?? 5093, '127.0.0.1');
