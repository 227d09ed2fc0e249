import { webcrypto } from 'node:crypto';

// Node does not list calls of WebCrypto among what is under way, but turns of the event loop: while such a call lasts, there
// are some. So `settle` waits for it.
const { prototype } = Object.getPrototypeOf(webcrypto.subtle).constructor;
for (const name of ['digest', 'exportKey', 'generateKey', 'importKey', 'sign', 'verify']) {
  const method: (...args: unknown[]) => Promise<unknown> = prototype[name];
  prototype[name] = function (...args: unknown[]) {
    const call = method.apply(this, args);
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    call.then(end, end);
    const turn = () => {
      if (!isOver) setImmediate(turn);
    };
    turn();
    return call;
  };
}
