# npm ci of the packages in $PACK, and eslint as they have it.
cp -r "$PACK"/. .
export npm_config_cache="$PWD/cache" npm_config_update_notifier=false npm_config_nodedir=
npm ci --offline --no-audit --no-fund --loglevel=error >/dev/null 2>/dev/null
find node_modules -type f | wc -l; find node_modules -type d | wc -l
printf 'export default [{ rules: { "no-unused-vars": 2, semi: 2 } }];\n' >eslint.config.mjs
printf 'const a = 1\n' >bad.js
npx eslint bad.js | grep -E 'error|warn' || true
npx eslint --fix --rule 'no-unused-vars: 0' bad.js; cat bad.js; npx --no-install eslint --version
cd node_modules
find . -type f ! -name .package-lock.json -print0 | sort -z | xargs -0 sha256sum | sha256sum
cd ..
npm ls --all --offline 2>/dev/null | wc -l
npm ci --offline --no-audit --no-fund --loglevel=error >/dev/null 2>/dev/null
ls node_modules/.bin
rm -r node_modules cache
ls
