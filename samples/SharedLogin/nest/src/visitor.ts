// What both applications keep in the session.
declare module 'express-session' {
  interface SessionData {
    user: { name: string };
    cart: string[];
    city: string;
    note: string;
  }
}

export type Visitor = Partial<import('express-session').SessionData>;
