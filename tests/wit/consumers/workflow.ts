// A workflow as it would be written against the types: inputs with what is known, and an error to branch on. What must not
// compile is marked, and the compiler complains where it does.

import type * as connector from "./connector/connector.js";
import type * as plugin from "./plugin/plugin.js";

export function run(engine: typeof plugin, id: string, input: object): unknown {
  // @ts-expect-error: JSON is text
  engine.actions.runAction(id, input);
  return JSON.parse(engine.actions.runAction(id, JSON.stringify(input)));
}

export function welcome(auth0: typeof connector, email: string): bigint | undefined {
  const { tenant, roles, users } = auth0;
  // @ts-expect-error: a number
  roles.listRoles({ limit: "5" });
  const page = roles.listRoles({ limit: 5 });
  const names: (string | undefined)[] = page.items.map((role) => role.name);
  for (const user of users.findUsersByEmail(email, { fields: ["user_id"], includeFields: true }).items) {
    console.log(user.userId, names, tenant.testConnection().domain);
  }
  return page.total;
}

export function retry(error: connector.types.Error): bigint | undefined {
  switch (error.disposition) {
    case "retry-later":
      return error.retryAfterMs ?? 1000n;
    case "fix-input":
    case "fix-access":
    case "verify-first":
    case "give-up":
      return undefined;
    default: {
      const closed: never = error.disposition;
      return closed;
    }
  }
}
