package config

// nearest returns the word of known that s is most likely a misspelling of, or
// "" when none is near: within a third of its length in insertions, deletions,
// substitutions and swaps of neighbours.
func nearest(s string, known []string) string {
	best, word := len(s)/3+1, ""
	if len(s) > 64 {
		return ""
	}
	for _, k := range known {
		if d := distance(s, k); d < best || d == best && word == "" {
			best, word = d, k
		}
	}
	return word
}

// distance is the optimal string alignment distance of two ASCII words.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		two, prev, cur := rows[0], rows[1], rows[2]
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], two[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = prev, cur, two
	}
	return rows[1][len(b)]
}
