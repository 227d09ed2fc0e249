import t from 'tap';
import ts from 'typescript';
import { ROOT } from '../helpers/root.js';

/** As those who use the package read them. */
const FACES = ['protocol', 'agent', 'mgmt', 'testing'].map(folder => `${ROOT}dist/${folder}/index.d.ts`);

const config = ts.readConfigFile(`${ROOT}tsconfig.base.json`, ts.sys.readFile).config;
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
const program = ts.createProgram(FACES, { ...options, noEmit: true });
const checker = program.getTypeChecker();

/** What the faces export: the symbols where they are declared. */
function exported(): readonly ts.Symbol[] {
  const symbols = new Set<ts.Symbol>();
  for (const face of FACES) {
    const source = program.getSourceFile(face);
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${face} is no module`);
    for (const symbol of checker.getExportsOfModule(module)) {
      symbols.add(symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
    }
  }
  return [...symbols];
}

const commentOf = (symbol: ts.Symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker));
const tagsOf = (symbol: ts.Symbol) => symbol.getJsDocTags(checker).map(({ name }) => name);

/** The members of a class or an interface that a user of it sees, without the `name` that each error has. */
function members(symbol: ts.Symbol): readonly ts.Symbol[] {
  if (!(symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface))) return [];
  return [...(symbol.members?.values() ?? [])].filter(
    ({ name, flags, declarations: [declaration] = [] }) =>
      !/^(#|__)/.test(name) &&
      !(flags & ts.SymbolFlags.TypeParameter) &&
      declaration !== undefined &&
      !(ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) &&
      // That of an error.
      !(name === 'name' && ts.isClassLike(declaration.parent) && declaration.parent.heritageClauses !== undefined),
  );
}

t.test('docs: everything that the faces export has a comment', async t => {
  const bare = exported().filter(symbol => commentOf(symbol) === '');
  t.same(
    bare.map(({ name }) => name),
    [],
  );
});

t.test('docs: every function and class that the faces export has an example', async t => {
  const bare = exported().filter(
    symbol => symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Class) && !tagsOf(symbol).includes('example'),
  );
  t.same(
    bare.map(({ name }) => name),
    [],
  );
});

t.test('docs: every member of the classes and interfaces that the faces export has a comment', async t => {
  const symbols = exported();
  t.ok(symbols.length > 200, 'they are found');
  const bare = symbols.flatMap(symbol =>
    members(symbol)
      .filter(member => commentOf(member) === '' && tagsOf(member).length === 0)
      .map(member => `${symbol.name}.${member.name}`),
  );
  t.same(bare, []);
});
