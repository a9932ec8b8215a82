package people_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/people"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

const password = "correct horse battery"

// owner signs the first owner in.
func owner(t *testing.T, p *people.People) *people.Who {
	t.Helper()
	link, err := p.FirstLink(t.Context())
	if err != nil || link == "" {
		t.Fatalf("the first link is %q, %v", link, err)
	}
	return enter(t, p, link)
}

func enter(t *testing.T, p *people.People, link string) *people.Who {
	t.Helper()
	token, err := p.SignInByLink(t.Context(), link, "test")
	if err != nil {
		t.Fatal(err)
	}
	who, err := p.Find(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

func wantKind(t *testing.T, what string, err error, kind millrace.Kind) {
	t.Helper()
	if err == nil || millrace.KindOf(err) != kind {
		t.Errorf("%s: got %v, want an error of kind %s", what, err, kind)
	}
}

func TestALinkWorksOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := people.New(db)
		link, err := p.FirstLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := p.LinkWorks(t.Context(), link); !ok || err != nil {
			t.Fatalf("a new link works: %v, %v", ok, err)
		}
		var in atomic.Int64
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if _, err := p.SignInByLink(t.Context(), link, "test"); err == nil {
					in.Add(1)
				} else if millrace.KindOf(err) != millrace.KindUnauthorized {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if in.Load() != 1 {
			t.Errorf("%d of 8 browsers came in by one link, want 1", in.Load())
		}
		if again, err := p.FirstLink(t.Context()); again != "" || err != nil {
			t.Errorf("there is another first link after a user came in: %q, %v", again, err)
		}
		_, err = p.SignInByLink(t.Context(), "mr_other", "test")
		wantKind(t, "another link", err, millrace.KindUnauthorized)
	})
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := people.New(db)
		boss := owner(t, p)
		link, err := p.Invite(t.Context(), boss, &millrace.User{Email: "Ann@Example.com", Role: millrace.RoleMember})
		if err != nil {
			t.Fatal(err)
		}
		ann := enter(t, p, link)
		if _, err := p.SignIn(t.Context(), "ann@example.com", "", "test"); millrace.KindOf(err) != millrace.KindUnauthorized || err == nil {
			t.Errorf("a user without a password came in: %v", err)
		}
		wantKind(t, "a short password", p.SetPassword(t.Context(), ann, "", "short"), millrace.KindInvalid)
		if err := p.SetPassword(t.Context(), ann, "", password); err != nil {
			t.Fatal(err)
		}
		other, err := p.SignIn(t.Context(), " ANN@example.com", password, "test")
		if err != nil {
			t.Fatal(err)
		}
		ann, err = p.Find(t.Context(), other)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(ann.PasswordHash, password) || !strings.HasPrefix(ann.PasswordHash, "$argon2id$") {
			t.Errorf("a password is stored as %q", ann.PasswordHash)
		}
		wantKind(t, "a change with a wrong old password", p.SetPassword(t.Context(), ann, "wrong", password+"2"), millrace.KindInvalid)
		second, err := p.SignIn(t.Context(), "ann@example.com", password, "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.SetPassword(t.Context(), ann, password, password+"2"); err != nil {
			t.Fatal(err)
		}
		_, err = p.Find(t.Context(), second)
		wantKind(t, "a session from before the password changed", err, millrace.KindUnauthorized)
		if _, err := p.Find(t.Context(), other); err != nil {
			t.Errorf("the session that changed the password has ended: %v", err)
		}
		_, unknown := p.SignIn(t.Context(), "bob@example.com", password, "test")
		_, wrong := p.SignIn(t.Context(), "ann@example.com", password, "test")
		if unknown == nil || wrong == nil || unknown.Error() != wrong.Error() {
			t.Errorf("an unknown address gets %v, a wrong password %v", unknown, wrong)
		}
		for range 9 {
			_, err = p.SignIn(t.Context(), "ann@example.com", "wrong", "test")
		}
		wantKind(t, "ten wrong passwords", err, millrace.KindUnauthorized)
		_, err = p.SignIn(t.Context(), "ann@example.com", password+"2", "test")
		wantKind(t, "the right one after them", err, millrace.KindRateLimited)
	})
}

func TestWhoMayChangeWhom(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		p := people.New(db)
		boss := owner(t, p)
		invite := func(by *people.Who, email string, role millrace.Role) (*people.Who, error) {
			link, err := p.Invite(ctx, by, &millrace.User{Email: email, Role: role})
			if err != nil {
				return nil, err
			}
			return enter(t, p, link), nil
		}
		admin, err := invite(boss, "admin@example.com", millrace.RoleAdmin)
		if err != nil {
			t.Fatal(err)
		}
		_, err = invite(admin, "second@example.com", millrace.RoleOwner)
		wantKind(t, "an admin makes an owner", err, millrace.KindForbidden)
		wantKind(t, "an admin demotes the owner", p.Change(ctx, admin, boss.ID, to(millrace.RoleViewer)), millrace.KindForbidden)
		wantKind(t, "an admin makes himself owner", p.Change(ctx, admin, admin.ID, to(millrace.RoleOwner)), millrace.KindForbidden)
		wantKind(t, "an unknown role", p.Change(ctx, boss, admin.ID, to("root")), millrace.KindInvalid)
		wantKind(t, "the last owner goes", p.Change(ctx, boss, boss.ID, to(millrace.RoleAdmin)), millrace.KindConflict)
		_, err = invite(boss, "ADMIN@example.com", millrace.RoleViewer)
		wantKind(t, "a second user with an address", err, millrace.KindConflict)
		_, err = invite(boss, "no address", millrace.RoleViewer)
		wantKind(t, "an address that is none", err, millrace.KindInvalid)
		for _, role := range []millrace.Role{millrace.RoleMember, millrace.RoleViewer} {
			low, err := invite(admin, string(role)+"@example.com", role)
			if err != nil {
				t.Fatal(err)
			}
			_, err = invite(low, "x@example.com", millrace.RoleViewer)
			wantKind(t, "a "+string(role)+" invites", err, millrace.KindForbidden)
			_, err = p.NewLinkFor(ctx, low, boss.ID)
			wantKind(t, "a "+string(role)+" makes a link for the owner", err, millrace.KindForbidden)
		}
		_, err = p.NewLinkFor(ctx, admin, boss.ID)
		wantKind(t, "an admin makes a link for the owner", err, millrace.KindForbidden)
		if err := p.Change(ctx, boss, admin.ID, people.Change{Role: millrace.RoleAdmin, Disabled: true}); err != nil {
			t.Fatal(err)
		}
		if sessions, err := p.Sessions(ctx, admin); err != nil || len(sessions) != 0 {
			t.Errorf("a user who is disabled has %d sessions, %v", len(sessions), err)
		}
		err = db.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			_, err := people.LinkFor(ctx, tx, "admin@example.com")
			return err
		})
		wantKind(t, "a link for a user who is disabled", err, millrace.KindConflict)
	})
}

func to(role millrace.Role) people.Change { return people.Change{Role: role} }
