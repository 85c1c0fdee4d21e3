// Auth0's own SDK for Node.js, as bench/src/peers.rs asks it: one line of JSON says what to call, each further line how
// many milliseconds to call for, and each is answered with one line.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { ManagementClient } = createRequire(`${process.argv[2]}/`)("auth0");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { address, user, callers } = JSON.parse((await lines.next()).value);
const client = new ManagementClient({
  domain: new URL(address.base_url).host,
  clientId: address.client_id,
  clientSecret: address.client_secret,
  audience: address.audience,
});

async function round(ms) {
  const [begun, used] = [performance.now(), process.cpuUsage()];
  let calls = 0;
  const caller = async () => {
    while (performance.now() - begun < ms) {
      const found = await client.users.get(user);
      if (found.user_id !== user) throw new Error("another user");
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const { user: own, system } = process.cpuUsage(used);
  return { calls, seconds: (performance.now() - begun) / 1e3, cpu_us: own + system };
}

for await (const ms of lines) console.log(JSON.stringify(await round(Number(ms))));
