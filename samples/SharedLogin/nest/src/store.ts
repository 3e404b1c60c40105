import { createRequire } from 'node:module';
import session from 'express-session';

const require = createRequire(import.meta.url);

// Each with its defaults: Sojourn has the same.
export async function openStore(store: string, url: string): Promise<session.Store> {
  switch (store) {
    case 'redis': {
      const { RedisStore } = require('connect-redis');
      const client = require('redis').createClient({ url });
      await client.connect();
      return new RedisStore({ client });
    }
    case 'pg': {
      const PgStore = require('connect-pg-simple')(session);
      return new PgStore({ conString: url, createTableIfMissing: true });
    }
    case 'mysql': {
      const MySqlStore = require('express-mysql-session')(session);
      const { hostname, port, username, password, pathname } = new URL(url);
      return new MySqlStore({ host: hostname, port: Number(port || 3306), user: decodeURIComponent(username), password: decodeURIComponent(password), database: pathname.slice(1) });
    }
    case 'mongo': {
      const { MongoStore } = require('connect-mongo');
      return MongoStore.create({ mongoUrl: url });
    }
    default:
      throw new Error(`There is no store ${store}: choose redis, pg, mysql or mongo.`);
  }
}
