package xmljs

import (
	"html"
	"strings"
)

// entityNames are the entities of HTML 4, which documents may use although XML knows only five.
const entityNames = " amp gt lt quot apos " +
	"AElig Aacute Acirc Agrave Aring Atilde Auml Ccedil ETH Eacute Ecirc Egrave Euml Iacute Icirc Igrave Iuml Ntilde Oacute " +
	"Ocirc Ograve Oslash Otilde Ouml THORN Uacute Ucirc Ugrave Uuml Yacute aacute acirc aelig agrave aring atilde auml ccedil " +
	"eacute ecirc egrave eth euml iacute icirc igrave iuml ntilde oacute ocirc ograve oslash otilde ouml szlig thorn uacute " +
	"ucirc ugrave uuml yacute yuml copy reg nbsp iexcl cent pound curren yen brvbar sect uml ordf laquo not shy macr deg " +
	"plusmn sup1 sup2 sup3 acute micro para middot cedil ordm raquo frac14 frac12 frac34 iquest times divide OElig oelig " +
	"Scaron scaron Yuml fnof circ tilde Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi " +
	"Rho Sigma Tau Upsilon Phi Chi Psi Omega alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron " +
	"pi rho sigmaf sigma tau upsilon phi chi psi omega thetasym upsih piv ensp emsp thinsp zwnj zwj lrm rlm ndash mdash lsquo " +
	"rsquo sbquo ldquo rdquo bdquo dagger Dagger bull hellip permil prime Prime lsaquo rsaquo oline frasl euro image weierp " +
	"real trade alefsym larr uarr rarr darr harr crarr lArr uArr rArr dArr hArr forall part exist empty nabla isin notin ni " +
	"prod sum minus lowast radic prop infin ang and or cap cup int there4 sim cong asymp ne equiv le ge sub sup nsub sube " +
	"supe oplus otimes perp sdot lceil rceil lfloor rfloor lang rang loz spades clubs hearts diams "

// entity resolves an entity: a number or a name, whatever the case if there is none that fits exactly.
func entity(name string) (string, bool) {
	if number, ok := strings.CutPrefix(strings.ToLower(name), "#"); ok {
		return character(number)
	}
	for _, spelling := range []string{name, strings.ToLower(name)} {
		switch {
		case !strings.Contains(entityNames, " "+spelling+" "):
		case spelling == "lang": // HTML 5 has changed its mind about these two
			return "\u2329", true
		case spelling == "rang":
			return "\u232a", true
		default:
			return html.UnescapeString("&" + spelling + ";"), true
		}
	}
	return "", false
}
