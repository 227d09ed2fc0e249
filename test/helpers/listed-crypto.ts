import { webcrypto } from 'node:crypto';
import { waitedFor } from '../../src/testing/fake-clock.js';

// Node does not list calls of WebCrypto among what is under way: `settle` is told of them here.
const { prototype } = Object.getPrototypeOf(webcrypto.subtle).constructor;
for (const name of ['digest', 'exportKey', 'generateKey', 'importKey', 'sign', 'verify']) {
  const call: (...args: unknown[]) => Promise<unknown> = prototype[name];
  prototype[name] = function (...args: unknown[]) {
    return waitedFor(call.apply(this, args));
  };
}
