// Writes the TypeScript types of a world: node types.mjs WIT WORLD FOLDER
//
// What `jco types` does. The command itself fails on any WIT with preview2-shim 0.26: its WebAssembly sees no files unless
// they are opened to it.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { _addPreopen } from "@bytecodealliance/preview2-shim/filesystem";

_addPreopen("/", "/");
const { $init, generateTypes } = await import("@bytecodealliance/jco-transpile/component");
await $init;

const [wit, world, folder] = process.argv.slice(2);
const source = { tag: "path", val: resolve(wit) };
for (const [name, content] of generateTypes(world, { wit: source, world, features: { tag: "list", val: [] } })) {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
