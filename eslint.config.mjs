// Of the pages that `zoo report` and `zoo gallery` write. Nothing is imported, so that `npx eslint@9` needs no package.json.
const globals = [
  'Blob DataView Event Float32Array Image Option Path2D URL URLSearchParams Uint8Array addEventListener atob',
  'clearTimeout devicePixelRatio dispatchEvent document getComputedStyle getSelection history innerHeight location',
  'matchMedia navigator setTimeout window',
];

export default [
  {
    files: ['interpret/report/assets/*.js', 'zoo/gallery/assets/*.js'],
    languageOptions: {
      sourceType: 'script',
      globals: Object.fromEntries(globals.flatMap((line) => line.split(' ')).map((name) => [name, 'readonly'])),
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: Object.fromEntries(
      [
        'array-callback-return curly eqeqeq no-cond-assign no-const-assign no-constant-condition no-dupe-args',
        'no-dupe-else-if no-dupe-keys no-empty no-eval no-fallthrough no-func-assign no-global-assign no-implied-eval',
        'no-irregular-whitespace no-loss-of-precision no-redeclare no-self-assign no-self-compare no-shadow',
        'no-sparse-arrays no-undef no-unreachable no-unsafe-finally no-unused-expressions no-unused-vars',
        'no-useless-escape no-var prefer-const prefer-template use-isnan valid-typeof',
      ]
        .flatMap((line) => line.split(' '))
        .map((rule) => [rule, 'error']),
    ),
  },
];
