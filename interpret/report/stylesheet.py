"""The page's style: the system's fonts, light and dark, phone and print."""
# ruff: noqa: E501 - rules of a style and of a script read better unbroken

__all__ = ["STYLE"]

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1b1f24;--soft:#5b6470;--line:#dfe3e8;--panel:#f6f7f9;--link:#1558b0;
--A:#1a8a3c;--C:#1f5fd0;--G:#e08a00;--T:#d0302f;--bar:#7a8694;--raises:#0d7f86;--lowers:#a6408f}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--ink:#e7eaee;--soft:#9aa4b0;--line:#2c323a;--panel:#1c2026;
--link:#86b4f5;--A:#45c46b;--C:#6fa3ff;--G:#f5b041;--T:#ff6b66;--bar:#8a95a3;--raises:#3fc3c9;--lowers:#e08bd0}}
*{box-sizing:border-box}[hidden]{display:none!important}sup{line-height:0;font-size:75%}
body{margin:0 auto;max-width:1320px;padding:28px 24px 60px;background:var(--bg);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:26px;line-height:1.2;margin:0 0 8px}h2{font-size:19px;margin:40px 0 12px}h4{margin:12px 0 4px;font-size:13px}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
small,figcaption,.none{color:var(--soft);font-size:12.5px}
.lead{font-size:17px;max-width:72ch;margin:0 0 20px}.notes{color:var(--soft);font-size:13px;margin:10px 0;padding-left:18px;
max-width:110ch}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:12px 28px;margin:0 0 14px}
dt{color:var(--soft);font-size:12.5px}dd{margin:0;overflow-wrap:anywhere}
pre{overflow:auto;max-height:360px;background:var(--panel);padding:12px;font-size:12px;border-radius:6px}
pre.command{margin:2px 0 8px;padding:8px 12px;white-space:pre-wrap;overflow-wrap:anywhere;max-height:none}
summary{cursor:pointer;padding:4px 0}
code{font-size:12.5px;overflow-wrap:anywhere}
.glyphs{position:absolute}.nA{fill:var(--A)}.nC{fill:var(--C)}.nG{fill:var(--G)}.nT{fill:var(--T)}
.bar{display:flex;flex-wrap:wrap;gap:8px 10px;align-items:center;margin:0 0 10px}
.bar .gap{flex:1 1 12px}
input,select,button.tool{font:inherit;font-size:14px;color:var(--ink);background:var(--bg);border:1px solid var(--line);
border-radius:6px;padding:5px 10px;min-height:34px}
button.tool{cursor:pointer}button.tool:hover{background:var(--panel)}button.tool[aria-pressed=true]{background:var(--ink);
color:var(--bg);border-color:var(--ink)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;width:100%}
#motifs{border-bottom:1px solid var(--line)}
#motifs th,#motifs td{padding:10px 8px;text-align:left;vertical-align:middle;border-top:1px solid var(--line);font-weight:400}
#motifs thead th{position:sticky;top:0;background:var(--bg);z-index:2;padding:6px 8px;font-size:13px;
box-shadow:inset 0 -1px var(--line);border:0;white-space:nowrap}
#motifs thead button{font:inherit;color:inherit;background:none;border:0;padding:4px 0;cursor:pointer;font-weight:600}
#motifs thead button::after{content:"\\2195";color:var(--soft);opacity:.45;margin-left:5px;font-weight:400}
th[aria-sort=ascending] button::after{content:"\\2191"!important;opacity:1!important}
th[aria-sort=descending] button::after{content:"\\2193"!important;opacity:1!important}
#motifs .num,.small .num{text-align:right;white-space:nowrap}
tbody th[scope=row]{white-space:nowrap}tbody th[scope=row] a{font-weight:600;font-size:16px}
.flag{display:block;color:var(--soft);font-size:12px}
figure{margin:2px 0;display:flex;align-items:center;gap:10px}figcaption{font-size:11.5px;line-height:1.2;flex:0 0 82px;
overflow-wrap:anywhere}
.logo{display:block;height:34px;width:calc(var(--c)*11px);min-width:0;flex:0 1 auto;overflow:visible}
#motifs td.logos{width:36%;max-width:0;min-width:210px}.axis{stroke:var(--line);fill:none;vector-effect:non-scaling-stroke}
.turned .logo{transform:scaleX(-1)}
.spark{width:84px;height:30px;vertical-align:middle}.spark path,.spark rect{fill:var(--bar)}
.spark .axis,.hist .axis{stroke:var(--soft);fill:none}.hist{width:186px;height:50px;margin-top:6px;display:block}
.hist rect{fill:var(--bar)}.hist text{font-size:10px;fill:var(--soft);text-anchor:middle}
.effect .spark{margin-right:8px}
.motif{border-top:1px solid var(--line);padding:4px 0;scroll-margin-top:12px}.motif[open]{padding-bottom:20px}
.whole .logo{height:46px;width:calc(var(--c)*14px)}
#motifs .num small,#motifs td[data-label=Position] small{white-space:nowrap}
.small{width:auto;min-width:min(100%,460px);margin:12px 0 4px;font-size:14px}
.small th,.small td{padding:3px 18px 3px 0;text-align:left;border-bottom:1px solid var(--line)}.small th{font-weight:600;font-size:13px}
.subs{margin-top:4px}.subs summary{font-size:12.5px;color:var(--soft);padding:2px 0}.subs figcaption{flex:1 1 auto;white-space:normal}
.subs .logo{height:26px}
.scroll{overflow-x:auto}#metrics td,#metrics th{white-space:nowrap}
.sides{display:grid;grid-template-columns:minmax(0,1fr) 280px;gap:24px}
.heat img{width:100%;height:330px;image-rendering:pixelated;border-radius:4px;display:block}
.heat p{margin:4px 0}.key b{margin-right:10px}.kA{color:var(--A)}.kC{color:var(--C)}.kG{color:var(--G)}.kT{color:var(--T)}
#view{width:100%;height:260px;background:var(--bg);display:block;border:1px solid var(--line);border-radius:6px;touch-action:pan-y;cursor:grab}
#where{font-size:13px;margin:8px 0 0}#under{color:var(--soft);font-size:13px;margin:2px 0 6px;min-height:20px}
#region{max-width:100%;min-width:0}#card{margin:28px 0 0}#card pre{max-height:480px;white-space:pre-wrap}
.empty{color:var(--soft);padding:20px 10px}
@media screen and (max-width:1140px){body{padding:18px 14px 40px}h1{font-size:22px}.lead{font-size:16px}
#motifs thead{display:none}#motifs,#motifs tbody{display:block}
#motifs tr{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:8px 14px;padding:14px 0;border-top:1px solid var(--line)}
#motifs tr[hidden]{display:none}
#motifs th,#motifs td,#motifs .num{padding:0;border:0;text-align:left;min-width:0}
#motifs th[scope=row],#motifs td.logos{grid-column:1/-1;width:auto;max-width:none}
#motifs td[data-label]::before{content:attr(data-label);display:block;color:var(--soft);font-size:12px}
.flag{display:inline;margin-left:10px}figcaption{flex-basis:70px}.logo{flex:0 1 calc(var(--c)*11px)}
.small th,.small td{padding-right:12px}.bar input{flex:1 1 100%}.sides{grid-template-columns:minmax(0,1fr)}.bar .gap{display:none}}
@media print{:root{color-scheme:light;--bg:#fff;--ink:#000;--soft:#555;--line:#ccc;--A:#1a8a3c;--C:#1f5fd0;--G:#e08a00;
--T:#d0302f}body{max-width:none;padding:0;font-size:11px}.bar,#under,.subs>summary{display:none}
#motifs tr,.motif{break-inside:avoid}#motifs thead{display:table-row-group}#motifs thead th{position:static}*{print-color-adjust:exact}
.logo{height:22px;width:calc(var(--c)*6px)}.whole .logo{height:30px;width:calc(var(--c)*9px)}
#motifs th,#motifs td{padding:4px 6px}#motifs thead th{white-space:normal;font-size:10px}.spark{width:56px;height:20px}
#motifs td.logos{max-width:none;min-width:210px}#motifs td small,small,figcaption{font-size:9px}pre{font-size:9px}
.notes{font-size:10px}#motifs thead button::after{content:""}figcaption{flex-basis:56px}
.sides{grid-template-columns:minmax(0,1fr) 170px}.heat img{height:200px}.small{font-size:10px}.small th,.small td{padding:1px 10px 1px 0}
h2{break-after:avoid}#regions{break-inside:avoid}details:not([open]){display:none}.lead{font-size:13px}
dl{grid-template-columns:repeat(4,1fr)}p{margin:6px 0}}
"""
