// Writes test cases with the results of the JavaScript engine to standard
// output, one JSON array [pattern, flags, text, start, result] a line. The result
// is null, or the offset of the match and its groups, or "error" for a pattern
// that is none.
//
//   node generate.js [cases] [seed]
const vm = require('node:vm');
const count = Number(process.argv[2] || 500);
let seed = Number(process.argv[3] || 1);
const random = n => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor(seed / 4294967296 * n);
};
const pick = list => list[random(list.length)];

const fixed = [
  ['(z)((a+)?(b+)?(c))*', '', 'zaacbbbcac'], ['(a*)?', '', 'b'], ['(?:a*)?', '', 'b'], ['(a*)*', '', 'b'], ['(?=(a+))a*b\\1', '', 'baaabac'],
  ['(.*?)a(?!(a+)b\\2c)\\2(.*)', '', 'baaabaac'], ['(?<=(\\d+)(\\d+))$', '', '1053'], ['(?<=\\1(a))b', '', 'aab'], ['(?<=([abc]+)([abc]+))$', '', 'abc'],
  ['(?<!abc)\\w\\w\\w', '', 'abcdef'], ['\\1(a)', '', 'aa'], ['(?:(a)|b)*', '', 'ab'], ['((a)|b)*', '', 'ab'], ['(a\\1)', '', 'aa'], ['(?<n>a)\\k<n>', '', 'aa'],
  ['\\k<n>(?<n>a)', '', 'aa'], ['\\k<n>', '', 'k<n>'], ['(?<n>a)\\k', '', 'a'], ['(?<n>a)(?<n>b)', '', 'ab'], ['(?<1>a)', '', 'a'], ['(?<$_é>a)', '', 'a'],
  ['(?<\\u0061>a)\\k<a>', '', 'aa'], ['[^]', '', '\n'], ['[]', '', 'a'], ['[]|a', '', 'a'], ['a{,2}', '', 'a{,2}'], ['a{2', '', 'a{2'], ['{1}', '', '1'], ['x{2}{3}', '', 'x'],
  ['a**', '', 'a'], ['a*?b', '', 'aab'], ['a+??', '', 'a'], ['^*', '', 'a'], ['(?=a)*b', '', 'b'], ['(?<=a)*b', '', 'ab'], ['(?:(?<=a))*b', '', 'ab'], ['(?=a){2}a', '', 'a'],
  ['\\u{3}', '', 'uuu'], ['\\x4', '', 'x4'], ['\\x41', '', 'A'], ['\\u0041', '', 'A'], ['\\u004', '', 'u004'], ['\\cA', '', '\x01'], ['\\c', '', '\\c'], ['\\c1', '', '\\c1'],
  ['[\\c1]', '', '\x11'], ['[\\c*]', '', '\\'], ['\\0', '', '\0'], ['\\07', '', '\x07'], ['\\08', '', '\x008'], ['\\8', '', '8'], ['\\18', '', '\x018'], ['\\377', '', '\xff'],
  ['\\400', '', '\x200'], ['[\\1]', '', '\x01'], ['[\\8]', '', '8'], ['\\p{L}', '', 'p{L}'], ['[\\b]', '', '\b'], ['[\\B]', '', 'B'], ['[\\d-x]', '', '-'], ['[x-\\d]', '', '-'],
  ['[a-]', '', '-'], ['[-a]', '', '-'], ['[--a]', '', 'Z'], ['[z-a]', '', ''], ['[a-c-e]', '', '-'], [']', '', ']'], ['}', '', '}'], ['(', '', ''], [')', '', ''], ['[', '', ''], ['\\', '', ''],
  ['(?a)', '', ''], ['(?<a', '', ''], ['?', '', ''], ['a{2,1}', '', ''], ['a{99999999999}', '', 'a'], ['a{0,99999999999}', '', 'aaa'], ['(?:){3}a', '', 'a'], ['(a|){5}b', '', 'aab'],
  ['(?:a?){3}', '', 'aa'], ['(a?)*?b', '', 'aab'], ['(?:a?)*?b', '', 'aab'], ['(\\2)(\\1)', '', 'x'], ['^.$', '', '😀'], ['^..$', '', '😀'], ['😀+', '', '😀😀'], ['[😀]', '', '😀'],
  ['😀{2}', '', '😀😀'], ['\\ud83d', '', '😀'], ['\\s+', '', 'a\u00a0\ufeff\u2028b'], ['\\w', 'i', 'ſ'], ['\\W', 'i', 'ſ'], ['ſ', 'i', 's'], ['K', 'i', 'k'], ['k', 'i', 'K'], ['[^x]', 'i', 'X'],
  ['[^\\W]', 'i', 'K'], ['ß', 'i', 'ẞ'], ['ẞ', 'i', 'ß'], ['Σ', 'i', 'ς'], ['ς', 'i', 'σ'], ['ǆ', 'i', 'ǅ'], ['ᾳ', 'i', 'ᾼ'], ['[à-ý]', 'i', 'É'], ['ı', 'i', 'I'], ['İ', 'i', 'i'], ['µ', 'i', 'μ'],
  ['å', 'i', 'Å'], ['Ω', 'i', 'ω'], ['(é)\\1', 'i', 'éÉ'], ['ꭰ', 'i', 'Ꭰ'], ['ა', 'i', 'Ა'], ['\\bfoo\\b', '', 'a foo b'], ['\\Bo', '', 'foo'], ['é\\b', '', 'éa'], ['^b', 'm', 'a\nb'], ['a$', 'm', 'a\r\nb'],
  ['^', 'm', 'a\u2028'], ['a.b', 's', 'a\nb'], ['a.b', '', 'a\u2029b'], ['(?:)', '', 'abc'], ['', '', 'abc'], ['|', '', 'abc'], ['a|ab', '', 'ab'], ['(a|ab)(c|bcd)(d*)', '', 'abcd'],
  ['(?!(a))b\\1', '', 'b'], ['(?!(?!(a)))ab?', '', 'ab'], ['(?=(?<x>a))\\k<x>', '', 'a'], ['(?<=^|,)[^,]*(?=,|$)', '', 'a,b'], ['(?<=a{2})b', '', 'aab'], ['(?<=(a|bc)*)d', '', 'abcbcd'],
  ['(?<=a+?)b', '', 'aab'], ['(?<=(\\w){3})f', '', 'abcdef'], ['(?<=\\b)a', '', ' a'], ['(?<=.*)$', '', 'abc'], ['(a)|(?:b)', 'x', ''], ['a', 'ii', ''], ['a', 'g', 'ba'], ['(?i:a)', '', 'A'],
  ['(?:a|b)??c', '', 'bc'], ['(a{2}){2,3}?$', '', 'aaaaaa'], ['(a|b){2,}?c', '', 'ababc'], ['((a){1,2}(b)?){2}', '', 'abaab'], ['x*', '', 'aaxx', 2], ['^a', '', 'aa', 1], ['(?<=a)b', '', 'ab', 1],
  ['\\bb', '', 'ab', 1], ['a', '', 'a', 2], ['$', '', 'a', 1], ['\\/', '', '/'], ['[/\\]]+', '', '/]'], ['\\-\\_', '', '-_'], ['a\\', '', ''], ['[a\\', '', ''], ['(?<a>.)(?<b>.)\\2\\k<a>', '', 'abba'],
];

const atoms = ['a', 'b', 'c', 'A', '1', ' ', '\\d', '\\w', '\\s', '\\W', '\\S', '\\D', '.', '[ab]', '[^a]', '[a-c]', '[^\\d]', '[A-z]', 'é', 'ab', '\\x61', '\\n', '😀', '[é-ü]', '-', '[\\w-]', '_'];
const zeroWidth = ['^', '$', '\\b', '\\B'];
function pattern(depth, groups) {
  let s = '';
  for (let n = 1 + random(4); n > 0; n--) {
    let atom;
    const kind = random(depth > 0 ? 16 : 8);
    if (kind < 7) atom = pick(atoms);
    else if (kind === 7) { s += pick(zeroWidth); continue; }
    else if (kind < 11) { groups.n++; atom = '(' + pattern(depth - 1, groups) + ')'; }
    else if (kind < 13) atom = '(?:' + pattern(depth - 1, groups) + ')';
    else if (kind === 13) atom = pick(['(?=', '(?!']) + pattern(depth - 1, groups) + ')';
    else if (kind === 14) { s += pick(['(?<=', '(?<!']) + pattern(depth - 1, groups) + ')'; continue; }
    else atom = '\\' + (1 + random(groups.n + 1));
    s += atom + (random(2) ? '' : pick(['*', '+', '?', '*?', '+?', '??', '{2}', '{1,2}', '{0,3}', '{1,}', '{2,}?', '{0,2}?', '{0}']));
    if (random(8) === 0) s += '|';
  }
  return s;
}
const syntax = ['(', ')', '[', ']', '{', '}', '*', '+', '?', '\\', '|', '^', '$', '.', 'a', 'b', '1', '2', ',', '-', '<', '>', ':', '=', '!', 'd', 'k', 'c', 'x', 'u', '0', 'é'];
const noise = () => Array.from({ length: 1 + random(9) }, () => pick(syntax)).join('');
const text = () => Array.from({ length: random(12) }, () => pick(['a', 'b', 'c', 'a', 'b', 'A', 'B', '1', ' ', '\n', 'é', 'É', '😀', 'ab', '_', '-'])).join('');

function result(source, flags, input, start) {
  let re;
  try {
    if (!/^[gims]*$/.test(flags)) throw new SyntaxError();
    re = new RegExp(source, flags.replace('g', '') + 'g');
  } catch { return 'error'; }
  re.lastIndex = start;
  globalThis.job = () => re.exec(input);
  const m = vm.runInThisContext('job()', { timeout: 200 });
  return m && [m.index, ...Array.from(m, g => g === undefined ? null : g)];
}
const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const emit = (source, flags, input, start) => {
  let a;
  try {
    a = result(source, flags, input, start);
  } catch (e) {
    if (e.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return; // exponential
    throw e;
  }
  // Half a surrogate pair is no text outside of JavaScript.
  if (Array.isArray(a) && a.some(g => lone.test(g))) return;
  console.log(JSON.stringify([source, flags, input, start, a]));
};
for (const [source, flags, input, start] of fixed) emit(source, flags, input, start || 0);
for (let i = 0; i < count; i++) {
  const flags = ['i', 'm', 's'].filter(() => random(4) === 0).join('');
  const source = random(6) ? pattern(3, { n: 0 }) : noise();
  const input = text();
  emit(source, flags, input, random(4) ? 0 : random(input.length + 1));
}
