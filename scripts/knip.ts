// Configuration of knip, for npm run lint: an export, file or package that nothing uses is an error. Its patterns start at
// the root. `!` marks what is not a test; with --production knip looks at that alone, so that an export which only tests use
// is an error as well.
import type { KnipConfig } from 'knip';

const isProduction = process.argv.includes('--production');

const config: KnipConfig = {
  // The entry points that package.json exports are found there.
  entry: [
    'src/*.ts!',
    'src/console/main.tsx!',
    'scripts/*.{ts,mjs}!',
    'scripts/attack/attacker.ts!',
    'bench/{api,peer,run,store}.ts!',
    'bench/agents/{floor,load,preload,store-server}.ts!',
    'bench/{scale,storm}/main.ts!',
    'examples/*.ts!',
    'test/**/*.test.ts',
    'test/chaos/main.ts',
    'test/simulation/{main,mutants-main}.ts',
    'test/chaos/persist-{main,writer}.ts',
    // Compiled by test/library/package.test.ts.
    'test/library/{fakes,program,server}.ts',
    // Run by test/scripts/test.test.ts.
    'test/fixtures/{left-process,stray-errors}.ts',
  ],
  project: ['src/**/*.{ts,tsx}!', 'scripts/**!', 'bench/**!', 'examples/**!', 'test/**/*.ts'],
  // A type may be exported because the signature of an exported function needs it. A value that its own file uses, and is
  // exported for a test, is no dead code.
  ignoreExportsUsedInFile: isProduction || { interface: true, type: true },
  // Loaded by createRequire, or into a browser; named so that those who depend on this package get the version that Node 20 runs.
  ignoreDependencies: ['axe-core', 'csclient', 'light-my-request'],
  ignoreBinaries: ['dpkg', 'dpkg-deb', 'mariadb', 'mariadb-dump', 'openssl', 'promtool', 'unshare'],
};

export default config;
