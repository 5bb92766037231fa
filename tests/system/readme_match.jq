# readme_match.jq: lists where real answers (the input, a list) differ from the documented ones ($want, a list).
#
# In what is documented, the string "…" stands for anything; as a member's name, for members left out; as the last
# element of a list, for elements left out; inside a string, for some characters. What is another in every run, or
# follows the tuning of the rules, is not compared by value: ids, times, workers (they follow the shifts), scores, shares of time.
def settled:
  if type == "string" then
    gsub("[0-9A-HJKMNP-TV-Z]{26}"; "ULID")
    | gsub("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)"; "TIME")
    | gsub("\\bw-[a-z]{2}-[0-9]{2}\\b"; "WORKER")
    | gsub("\\.yaml:[0-9]+"; ".yaml:LINE")
    | gsub("^[0-9a-f]{16}$"; "RULESET")
  elif type == "number" and . > 1e12 then 0
  else . end;
def pattern: gsub("(?<c>[][(){}.*+?^$|\\\\])"; "\\" + .c) | gsub("…"; ".*") | "^" + . + "$";
def differences($want; $at):
  . as $got
  | if $want == "…" then empty
    elif ($want | type) != ($got | type) then "\($at): \($got | tojson), documented \($want | tojson)"
    elif ($want | type) == "object" then
      ($want | keys_unsorted - ["…"]) as $named
      | ($named - ($got | keys_unsorted) | map("\($at).\(.) is not there") | .[]),
        (if $want | has("…") then empty
         else ($got | keys_unsorted) - $named | map("\($at).\(.) is not documented") | .[] end),
        ($named[] | . as $k | select($got | has($k))
         | if IN("score", "margin", "weight", "share") then empty
           else $got[$k] | differences($want[$k]; "\($at).\($k)") end)
    elif ($want | type) == "array" then
      (if $want[-1] == "…" then $want[:-1] else $want end) as $named
      | (if ($got | length) < ($named | length) or
            ($want[-1] != "…" and ($got | length) != ($named | length))
         then "\($at) has \($got | length) elements" else empty end),
        (range([($named | length), ($got | length)] | min) as $i
         | $got[$i] | differences($named[$i]; "\($at)[\($i)]"))
    elif ($want | type) == "string" then
      if $got | settled | test($want | settled | pattern) then empty
      else "\($at): \($got | tojson), documented \($want | tojson)" end
    elif ($got | settled) == ($want | settled) then empty
    else "\($at): \($got), documented \($want)" end;
differences($want; "answer")
