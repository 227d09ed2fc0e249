import t from 'tap';
import { type AgentsPort, PortKeeper } from '../../../src/mgmt/agents/agents-port.js';

const failing: Readonly<Record<string, AgentsPort['close']>> = {
  rejects: async () => {
    throw new Error('no tunnel');
  },
  throws: () => {
    throw new Error('no tunnel');
  },
};

t.test(
  "regression: agents' port: one of a program's own that fails to close is said, and closed all the same",
  async t => {
    for (const [how, close] of Object.entries(failing)) {
      const said: string[] = [];
      const keeper = new PortKeeper({
        port: { open: async () => ({ address: 'tunnel', port: 7 }), close },
        serve() {},
        onClosed: () => void said.push('closed'),
        onCannotOpen: reason => void said.push(`cannot open: ${reason}`),
        onCannotClose: reason => void said.push(`cannot close: ${reason}`),
      });
      await keeper.open();
      await t.resolves(
        keeper.reconcile(() => false),
        how,
      );
      t.notOk(keeper.isOpen);
      await keeper.reconcile(() => true);
      await t.resolves(keeper.close(), how);
      t.notOk(keeper.isOpen);
      t.same(said.toSorted(), ['cannot close: no tunnel', 'cannot close: no tunnel', 'closed']);
    }
  },
);
