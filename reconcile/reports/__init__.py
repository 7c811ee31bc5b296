"""What finance reads each morning: the figures of a date, a month or a year as page, workbook, paper and vouchers.

One way in: `write.write_report`. SQL in `queries`, numbers in `figures`, what stands where in `tables`, and how it
looks in `page`, `workbook` and `paper`. Nothing here changes the books.
"""
