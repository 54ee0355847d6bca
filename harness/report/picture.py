def picture(report): return ""
