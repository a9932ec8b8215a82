// Package picture draws what the dashboard shows as SVG: strips of the last hour, bars of a timeline, the graph of a sync job. The
// pictures have no styles of their own but classes, a title for those who do not see them, and work without scripts.
package picture
