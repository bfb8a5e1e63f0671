"""What every command and every report says of the package. Imports nothing."""

RESEARCH_USE = "Research use only, not a medical device."
CITATION = (
    "Iwamoto et al., IEEE Trans. Emerg. Topics Comput. Intell. 7(2):426-435, 2023,"
    " doi:10.1109/TETCI.2022.3215137"
)
