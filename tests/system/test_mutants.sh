#!/bin/bash
# The rules of an order's life are held by tests: each of them is broken here in turn, and a test must fail.
# Only order.c and life.c are compiled anew, from a copy; the tests are those of the build tree.
. tests/system/lib.sh
TESTS="test_order test_life"
for t in $TESTS; do
    [ -e "$B/tests/model/$t.o" ] || skip "$t is not built"
done
! nm "$B/engine/model/order.o" | grep -qE '__(asan|tsan|ubsan)_' || skip "the build tree is one for a sanitizer"
flags=$(make -pn B="$B" 2>/dev/null | sed -n 's/^CPPFLAGS := //p' | tr -d "'\"")
libs=$(make -pn B="$B" 2>/dev/null | sed -n 's/^LDLIBS := //p')
COPY=$DIR/copy
mkdir -p "$COPY/engine/model"

# fresh: the copy is as the sources are.
fresh() { cp engine/model/order.[ch] engine/model/life.c "$COPY/engine/model/"; }
# holds: true when the tests pass with the copy.
holds() {
    local name t
    for name in order life; do
        # shellcheck disable=SC2086 # several flags
        ${CC:-gcc} -std=c17 -w -I"$COPY" $flags -c -o "$COPY/$name.o" "$COPY/engine/model/$name.c" ||
            fail "$name.c does not compile"
    done
    for t in $TESTS; do
        # shellcheck disable=SC2086
        ${CC:-gcc} -o "$COPY/$t" "$B/tests/model/$t.o" "$B/tests/model/support.o" "$COPY/order.o" "$COPY/life.o" \
            "$B"/lib/engine-model.a "$B"/lib/classifiers.a "$B"/lib/engine-base.a -lcmocka $libs || fail "$t does not link"
        timeout 60 "$COPY/$t" >"$DIR/out" 2>&1 || return 1
    done
}
# mutant WHAT FILE SED: that is found.
mutant() {
    fresh
    sed -i "$3" "$COPY/engine/model/$2"
    ! cmp -s "$COPY/engine/model/$2" "engine/model/$2" || fail "$1: the line to break is not in $2 any more"
    ! holds || fail "$1: no test has noticed"
}

fresh
holds || fail "the tests fail without a mutation: $(tail -n 3 "$DIR/out")"
mutant "who has accepted can be forestalled" order.h '/X(STEP_ACCEPT, /s/1u << ORDER_DISPATCHED/ORDER_ASSIGNED/'
mutant "arriving resolves" order.h '/X(STEP_ARRIVE, /s/ORDER_ARRIVED/ORDER_RESOLVED/'
mutant "whoever likes returns" order.h '/X(STEP_RETURN, /s/ACTOR_HOLDER/ACTOR_MEMBER/'
mutant "residents cancel what was accepted" order.h '/X(STEP_CANCEL, ACTOR_RESIDENT/s/1u << ORDER_DISPATCHED/ORDER_ASSIGNED/'
mutant "leaders decide" order.h '/X(STEP_TRANSFER, ACTOR_LEADER/s/ORDER_ASSIGNED/ORDER_OPEN/'
mutant "an extension is no mark" life.c 's/clock->extended = true;/clock->extended = false;/'
mutant "one bounce more" life.c 's/life->bounces >= numbers->returns_most/life->bounces > numbers->returns_most/'
mutant "a stale version counts" life.c 's/step->version != life->version/step->version > life->version/'
mutant "steps go back in time" life.c 's/step->strict && step->at < life->last_at/step->strict \&\& step->at < life->created_at/'
mutant "whoever leads rates" life.c 's/span_eq(party->caller, step->worker)/step->actor == ACTOR_LEADER/'
mutant "the head rates for whoever could" life.c 's/ && !span_has_word(step->able, . ., party->caller)//'
mutant "late without a word" life.c 's/late && !step->explained && /late \&\& step->explained \&\& /'
mutant "a return resets a clock" life.c 's/life->bounces++;/life->bounces++, life->clocks[CLOCK_RESPOND].due += 1;/'
mutant "special groups wait among their equals" order.c 's/return special ? QUEUE_SPECIAL : /return /'
