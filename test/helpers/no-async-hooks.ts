/**
 * Preloaded by `npm test`. tap follows every promise and timer by an async hook, to tell which test a stray error belongs to:
 * a third of the time of tests like ours. Without it a stray error still ends the process, and with it the file fails.
 */
import asyncHooks, { type AsyncHook } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';

const idle: AsyncHook = { enable: () => idle, disable: () => idle };
asyncHooks.createHook = () => idle;
syncBuiltinESMExports();
