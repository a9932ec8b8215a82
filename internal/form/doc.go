// Package form is the form that a customer fills in when an account is connected (RapidForm): what it asks for, where the options of its
// selects come from, and how the answers become members of the account's context. It knows no HTML.
//
// A page that was shown carries a ticket: which account it is for, what of it may not be changed, and a number of its own. An option that
// was offered is sealed for its field, for the answers that its list followed from, and for the holder of the token. So a submit needs no
// second look at a list of 40,000 entries, and holds nothing that was not offered.
//
// Nothing is kept between the two: a submit stores all answers with their event, or nothing.
package form
