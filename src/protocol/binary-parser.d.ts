// The package's `exports` hide its types under nodenext resolution.
declare module 'binary-parser' {
  export { Parser } from 'binary-parser/dist/binary_parser.js';
}
