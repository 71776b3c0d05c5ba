"""Redyard: the managed Redis add-on that an app team owns, and the kit that an app imports."""
