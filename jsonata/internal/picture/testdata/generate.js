// Writes test cases with the results of npm jsonata to standard output, one JSON
// array [function, arguments, kind, result] a line. From a directory where
// jsonata 2.2.2 is installed:
//
//   TZ=UTC NODE_PATH=node_modules node generate.js [cases per function] [seed]
const jsonata = require('jsonata');

const count = Number(process.argv[2] || 100);
let seed = Number(process.argv[3] || 1);
const random = n => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor(seed / 4294967296 * n);
};
const pick = list => list[random(list.length)];
const some = (list, max) => Array.from({ length: random(max + 1) }, () => pick(list)).join('');

const numbers = [0, 1, -1, 0.5, 1.5, 2.5, -2.5, 12, 99, 100, 123.456, -0.004, 0.005, 0.015, 1005, 1234567.891, 1e6, 999999.5,
  1e20, 1e21, 1.5e300, 5e-7, 1e-300, 2 ** 53, -98765.4321, 0.1 + 0.2, 1e15 - 1];
const anyNumber = () => random(2) ? pick(numbers) : (random(2e6) - 1e6) / pick([1, 10, 1000, 7]);
const integers = [0, 1, 3, 11, 12, 13, 19, 20, 21, 26, 27, 40, 99, 100, 101, 110, 111, 112, 113, 703, 999, 1000, 1001, 1100, 12345, 999999,
  1000000, 1000001, 123456789, 1e9, 1e12, 1e15, 123456789012345, 1e21, 5e22, -1, -21, -1000, 2.7, -2.2];
const digitPictures = ['0', '00', '1', '#0', '###0', '#,##0', '#,###,##0', '##,##,#0', '#:###,##0', '0;o', '#0;o', '#,##0;o', '000000', '9,9,9',
  '##1٠', '#١', '###०', '０', '#.0', '0,', ',0', '0,0,0', '#;0', '1;2;o', '0-0', '#,#', '', ';', ';o', '0😀000', '#😀##0', 'W', 'w', 'Ww', 'w;o', 'W;o',
  'Ww;o', 'I', 'i', 'A', 'a', 'I;o', 'a;o', 'α', 'WW', 'x', 'N'];
const integerPicture = () => random(3) ? pick(digitPictures) : some(['#', '#', '0', '0', ',', '.', ' ', '१'], 8) + pick(['', '', ';o', ';c', ';']);

const millis = () => pick([0, 1, -1, 1521801216617, 1204405500000, 1419940800000, 951782400000, 1483228799999, 1609459200000, 253402300799999,
  -62135596800000, -62167219200000, -65000000000000, 8.64e15, 8.64e15 + 1, -8.64e15, 1e12 + 0.5, -1e12 - 0.7, -59958230400000, 1e18,
  random(2e9) * 1000 + random(1000), random(2e9) * -1000]);
const letters = 'YMDdFWwXxHhPmsfZzCE';
const presentations = ['', '', '', '1', '01', '001', '0001', 'N', 'n', 'Nn', 'I', 'i', 'W', 'w', 'Ww', 'wo', '1o', 'a', 'A', '#1', '##01', '9,999', '0:0',
  '01:01', '0101', '00', '0000', '00000', '01t', '01:01t', '0101t', '1t', '१', 'Wwo', 'α', '٠1', '1c', '0;o', ' 01 ', '#', '00.00', '#,##0'];
const widths = ['', '', '', '', ',2', ',*', ',4', ',2-2', ',3-3', ',*-3', ',*-2', ',1-*', ',3-10', ',x', ',-1', ',*-0', ',2-x'];
const marker = () => '[' + pick(letters + (random(30) ? '' : 'q#A')) + pick(presentations) + pick(widths) + ']';
const datePicture = () => {
  let s = '';
  for (let n = 1 + random(5); n > 0; n--) s += marker() + pick(['', '-', '/', ' ', ':', 'T', ' of ', '.', '[[', ']]', 'é', '\n']);
  return random(40) ? s : s + pick(['[', '[Y', ']', '[]', '[ ]', '[,2]']);
};
const sensible = () => {
  const date = pick(['[Y]-[M]-[D]', '[Y0001]-[M01]-[D01]', '[Y0001][M01][D01]', '[D1o] [MNn] [Y]', '[D] [MNn,3-3] [Y,2]', '[Y]-[d]', '[Y]-[d001]',
    '[FNn], [D] [MN] [Yw]', '[FNn,3-3] [Dwo] [Mn] [YI]', '[X]-W[W]-[F1]', '[Y] [x] [w] [F1]', '[M]/[D]', '[D]', '[Y]', '[M]', '', '[YI] [Mi] [Da]',
    '[Y,4]-[M,2]', '[Y,*-4][M01][D01]', '[MNn,*-1] [Y]', '[Yw], [Dw]', '[Y9,999,*]-[M01]']);
  const time = pick(['', '', 'T[H01]:[m01]:[s01]', ' [H]:[m]', ' [h]:[m] [P]', ' [h]:[m]:[s] [PN]', ' [H01][m01][s01]', ' [H]:[m]:[s].[f001]', ' [m]:[s]',
    ' [H] [s]', ' [P]', ' [hw] [PNn]', '[H01]:[m01]:[s01].[f]']);
  return date + time + pick(['', '', '', '[Z]', ' [Z0101]', '[Z01:01t]', ' [z]', '[Z0]', ' [z0000]', '[Z00.00]']);
};
const zones = [undefined, undefined, '+0100', '-0500', '+0530', '-0330', '0000', '+1400', '1', 'Z', '', '-0015', '+05:30', '99999'];
const isoTexts = () => pick(['2018', '2024-02', '2024-02-29', '2023-02-30', '2024-12-31', '0001-01-01', '2018-13-01', '2018-00', '2018-1-1', '0099-12-31']) +
  (random(3) ? pick(['T10:20:30', 'T24:00:00', 'T23:59:59', 'T25:00:00', ' 10:20:30', 'T10:20', 'T24:00:00.001']) +
    pick(['', '.5', '.123', '.12349', '.']) + pick(['', 'Z', '+0100', '-05:30', '+23:59', '+24:00', 'z', '+1']) : pick(['', 'Z', 'x']));

const numberPicture = () => some(['#', '#', '#', '0', '0', ',', '.', 'e', '%', '‰', '-', ' ', '$', '9', ';', '0', '(', 'é', '1'], 9);
const goodNumberPicture = () => pick(['', '', '', '$', 'x', '(']) + pick(['#,##0', '#', '0', '000', '#,###,##0', '##,##,##0', '#0', '', '9,999']) +
  pick(['', '', '.', '.0', '.00', '.##', '.0#', '.00#,##', '.000,000', '.######']) + pick(['', '', '', 'e0', 'e000', '%', '‰', ' x']) +
  pick(['', '', '', ';(#)', ';-0.0', ';0e0']);
const options = () => random(3) ? undefined : pick([{ 'decimal-separator': ',', 'grouping-separator': '.' }, { 'zero-digit': '٠' }, { digit: '*' },
  { 'minus-sign': '~' }, { percent: 'pc' }, { 'per-mille': 'pm' }, { 'pattern-separator': '|' }, { 'exponent-separator': 'E' }, { 'zero-digit': '1' },
  { 'grouping-separator': '' }, { 'exponent-separator': '' }, { 'pattern-separator': '' }, { digit: '' }, { 'zero-digit': '' }, { 'decimal-separator': '::' },
  { 'grouping-separator': ' - ' }, { percent: '' }, { nonsense: 'x' }, { 'minus-sign': '' }, { 'decimal-separator': '0' }, { infinity: 'inf' }]);

const cases = {
  formatNumber: () => [anyNumber(), random(2) ? numberPicture() : goodNumberPicture(), options()],
  formatBase: () => [random(3) ? anyNumber() : random(1e9), random(5) ? 2 + random(35) : pick([undefined, 1, 37, 2.5, 36.4])],
  formatInteger: () => [random(2) ? pick(integers) : random(1e6), integerPicture()],
  parseInteger: () => pick([
    () => [pick(['12', '1,234', '-5', 'abc', '', '12th', '1st', '0x1f', ' 7', 'MCMXCIV', 'mcm', 'IIX', 'iv', 'one', 'One Hundred and One', 'twenty-one',
      'two thousand', 'ten million', 'hundred', 'one hundred thousandth', 'aa', 'ZZ', 'é', '١٢', '१', '３', '1:234', '1.234', 'one, two', 'one,two', 'and',
      'hundreieth', 'seven\\eight', 'fifty\u00a0one', 'zzzzzzzzzzzzzz']), integerPicture()],
    () => { const p = integerPicture(); return [['', p, pick(integers)], p]; },
  ])(),
  fromMillis: () => [millis(), random(8) ? (random(2) ? datePicture() : sensible()) : undefined, pick(zones)],
  toMillis: () => pick([
    () => [isoTexts(), undefined],
    () => { const p = sensible(); return [['m', p, millis()], p]; },
    () => { const p = sensible(); return [['m', p, millis()], p]; },
    () => { const p = datePicture(); return [['m', p, millis()], p]; },
    () => { const p = datePicture(); return [pick(['2018-01-01', '12', '', '12:30', 'march', 'GMT+1', '1/2/3', '+0100', 'three', 'AM']), p]; },
  ])(),
};

const now = 1542196800123;
const libraries = {};
async function evaluate(name, args) {
  const text = `$${name}(${args.map((a, i) => a === undefined ? '$none' : '$a' + i).join(',')})`;
  const expression = libraries[text] ||= jsonata(text);
  const bindings = Object.fromEntries(args.map((a, i) => ['a' + i, a]));
  const real = Date;
  try {
    globalThis.Date = class extends real { constructor(...a) { a.length ? super(...a) : super(now); } };
    const value = await expression.evaluate({}, bindings);
    if (value === undefined) return ['undefined', null];
    if (Number.isNaN(value)) return ['NaN', null];
    return ['value', value];
  } catch (e) {
    return e.code && /^[A-Z]\d{4}$/.test(e.code) ? ['code', e.code] : ['host', String(e.message || e)];
  } finally {
    globalThis.Date = real;
  }
}

(async () => {
  for (const [name, make] of Object.entries(cases)) {
    for (let i = 0; i < count; i++) {
      const args = make();
      while (args.length && args[args.length - 1] === undefined) args.pop();
      if (Array.isArray(args[0])) { // text made by the formatting function
        const [kind, picture, value] = args[0];
        const [made, text] = await evaluate(kind === 'm' ? 'fromMillis' : 'formatInteger', [value, picture]);
        args[0] = made === 'value' ? text : 'x';
        if (!random(4)) args[0] = pick([s => s.toUpperCase(), s => s.toLowerCase(), s => s + 'x', s => s.slice(1)])(args[0]);
      }
      // Where doubles lose digits, V8's Math.pow and its stack depth decide.
      const letters = name === 'parseInteger' && /^a(;|$)/i.test(args[1]) && args[0].length > 14;
      const roman = /Integer$/.test(name) && /^i(;|$)/i.test(args[1]) && args[0] > 1e6;
      if (letters || roman) continue;
      console.log(JSON.stringify([name, args, ...await evaluate(name, args)]));
    }
  }
})();
