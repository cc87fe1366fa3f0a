// Routes for logging in and for users.
import { Router } from "express";
import type { Accounts, UserRecord } from "../auth/accounts.ts";
import {
  addUserRequestSchema,
  loginRequestSchema,
  setPasswordRequestSchema,
  type LoginReply,
  type User,
  type WhoAmI,
} from "../protocol/admin/admin-api.ts";
import { addressOf, type LoginGate } from "./login-gate.ts";
import { readBody } from "./read-body.ts";

export function userRoutes(accounts: Accounts, gate: LoginGate): Router {
  const router = Router();

  router.post("/login", async (request, response) => {
    const { user, password, client = "" } = readBody(request, loginRequestSchema);
    const token = await accounts.login(user, password, client, addressOf(request));
    response.json({ token, user } satisfies LoginReply);
  });

  router.post("/logout", async (request, response) => {
    await accounts.logout(await gate.require(request));
    response.status(204).end();
  });

  router.get("/whoami", async (request, response) => {
    const { user, role, client } = await gate.require(request);
    response.json({ user, role, client } satisfies WhoAmI);
  });

  router.get("/users", async (request, response) => {
    await gate.requireAdmin(request);
    const users = await accounts.listUsers();
    response.json({ users: users.map((user) => describeUser(user, user.tokens)) });
  });

  router.post("/users", async (request, response) => {
    const first = await gate.mayAddFirstUser(request);
    if (!first) await gate.requireAdmin(request);
    const { name, password, role = "user" } = readBody(request, addUserRequestSchema);
    const user = await accounts.addUser(name, password, role, first);
    response.status(201).json(describeUser(user, 0));
  });

  router.put("/users/:name/password", async (request, response) => {
    const { name } = request.params;
    const principal = await gate.require(request);
    if (principal.user !== name) await gate.requireAdmin(request);
    const { password } = readBody(request, setPasswordRequestSchema);
    await accounts.setPassword(name, password);
    response.status(204).end();
  });

  router.delete("/users/:name", async (request, response) => {
    await gate.requireAdmin(request);
    await accounts.removeUser(request.params.name);
    response.status(204).end();
  });

  return router;
}

function describeUser({ name, role, createdMs }: UserRecord, tokens: number): User {
  return { name, role, createdMs, tokens };
}
