"""Trained tree ensembles in one compiled form: conversion, prediction, exact TreeSHAP."""
