//! The words that generated people and addresses are made of. Written for this project; no list of real people was used.

/// Given names, of varied origin.
#[rustfmt::skip]
pub(super) const GIVEN: &[&str] = &[
    "Aaliyah", "Aaron", "Abena", "Abigail", "Adam", "Adriana", "Agnieszka", "Ahmed", "Aiko", "Aisha", "Akira", "Alan", "Alejandro",
    "Alexis", "Alice", "Alma", "Amara", "Amina", "Amir", "Ana", "Andre", "Angela", "Anh", "Anita", "Anna", "Anton", "Aoife", "Arjun",
    "Arnold", "Arturo", "Asha", "Astrid", "Ayşe", "Barbara", "Beatriz", "Benjamin", "Bilal", "Björn", "Brandon", "Brenda", "Brian",
    "Bruno", "Camila", "Carl", "Carmen", "Caroline", "Catherine", "Cecilia", "Chidi", "Chloe", "Christopher", "Clara", "Colin", "Connor",
    "Curtis", "Cynthia", "Daisy", "Dalia", "Daniel", "Darnell", "David", "Deborah", "Deepa", "Denise", "Destiny", "Diego", "Dmitri",
    "Dolores", "Dominic", "Donna", "Dorothy", "Dylan", "Edgar", "Edith", "Eduardo", "Efua", "Elena", "Elias", "Elijah", "Elizabeth",
    "Emeka", "Emilia", "Emily", "Emma", "Enrique", "Eric", "Esther", "Ethan", "Eun", "Eva", "Fatima", "Felix", "Fernando", "Fiona",
    "Florence", "Francis", "Frank", "Gabriel", "Gabriela", "Gail", "Garrett", "George", "Georgia", "Gerald", "Giulia", "Gloria", "Gordon",
    "Grace", "Greta", "Guadalupe", "Gustavo", "Habib", "Hana", "Hannah", "Harold", "Hassan", "Heather", "Hector", "Heidi", "Helen",
    "Henry", "Hiroshi", "Holly", "Hugo", "Ibrahim", "Ida", "Ignacio", "Ines", "Ingrid", "Irene", "Isaac", "Isabel", "Ivan", "Jacob",
    "Jada", "Jamal", "James", "Jane", "Jasmine", "Javier", "Jean", "Jeremy", "Jerome", "Jesús", "Joan", "Joaquín", "John", "Jonas",
    "Jorge", "José", "Joseph", "Josephine", "Joyce", "Juan", "Judith", "Julia", "Julian", "Kamala", "Karen", "Karl", "Kavita", "Keisha",
    "Keith", "Kenji", "Kenneth", "Kevin", "Khadija", "Kiran", "Krzysztof", "Kwame", "Lakshmi", "Lamar", "Larissa", "Laura", "Lawrence",
    "Layla", "Leah", "Leon", "Leticia", "Liam", "Lin", "Linda", "Lorenzo", "Louis", "Lucía", "Lucy", "Luis", "Lydia", "Mai", "Malik",
    "Manuel", "Marcus", "Margaret", "María", "Marie", "Mario", "Mark", "Marta", "Martin", "Mary", "Mateo", "Matthew", "Maya", "Mei",
    "Mercedes", "Michael", "Miguel", "Mina", "Minh", "Miriam", "Mohammed", "Monica", "Nadia", "Naomi", "Natalie", "Nathan", "Neil",
    "Ngozi", "Nia", "Nicholas", "Nicole", "Nikolai", "Nina", "Noah", "Nora", "Olga", "Oliver", "Olivia", "Omar", "Oscar", "Pablo",
    "Pamela", "Patricia", "Patrick", "Paul", "Pedro", "Peter", "Philip", "Phuong", "Priya", "Rachel", "Rafael", "Rahul", "Ramona",
    "Raquel", "Rashid", "Raymond", "Rebecca", "Renée", "Ricardo", "Richard", "Rita", "Robert", "Roger", "Rosa", "Rosalind", "Ruben",
    "Russell", "Ruth", "Ryan", "Sabrina", "Said", "Samantha", "Samuel", "Sandra", "Sanjay", "Santiago", "Sarah", "Scott", "Sean", "Selma",
    "Sergio", "Shanice", "Sharon", "Shirin", "Silvia", "Simon", "Siobhan", "Sofía", "Sonia", "Soo", "Stanley", "Stella", "Stephen",
    "Sunil", "Susan", "Svetlana", "Tanya", "Tariq", "Tatiana", "Terrence", "Theresa", "Thomas", "Tiana", "Timothy", "Tomás", "Tomoko",
    "Tuan", "Tyrone", "Ursula", "Valeria", "Vanessa", "Vera", "Victor", "Vincent", "Viola", "Virginia", "Walter", "Wanda", "Wei", "Wendy",
    "William", "Winston", "Xavier", "Ximena", "Yasmin", "Yolanda", "Youssef", "Yuki", "Yusuf", "Zachary", "Zahra", "Zoë",
];

/// Family names, of varied origin.
#[rustfmt::skip]
pub(super) const FAMILY: &[&str] = &[
    "Abara", "Abbott", "Acosta", "Adebayo", "Aguilar", "Ahmadi", "Akhtar", "Albrecht", "Alvarado", "Amaya", "Andersen", "Antonov",
    "Appiah", "Aragon", "Arellano", "Armstrong", "Asante", "Atkins", "Avila", "Ayala", "Baker", "Banerjee", "Barajas", "Barnes",
    "Barrett", "Bashir", "Bautista", "Becker", "Bello", "Beltrán", "Benítez", "Bennett", "Bergman", "Bhatt", "Bianchi", "Blackwell",
    "Blanco", "Boateng", "Bouchard", "Bowman", "Brandt", "Briggs", "Bui", "Burgess", "Byrne", "Cáceres", "Calderón", "Campos", "Carlson",
    "Carrillo", "Carvalho", "Castañeda", "Chambers", "Chandra", "Chen", "Choi", "Clarke", "Coleman", "Collins", "Contreras", "Cooper",
    "Cordero", "Costa", "Crawford", "Cruz", "Cunningham", "Da Silva", "Dang", "Daniels", "De La Cruz", "Delgado", "Demir", "Desai",
    "Diallo", "Díaz", "Dietrich", "Dixon", "Doherty", "Dominguez", "Donovan", "Douglas", "Duarte", "Dubois", "Duncan", "Duong", "Eklund",
    "Elliott", "Endo", "Eriksson", "Escobar", "Espinoza", "Estrada", "Falk", "Farouk", "Ferguson", "Fernández", "Ferreira", "Figueroa",
    "Fischer", "Flores", "Fontaine", "Foster", "Franklin", "Fraser", "Fuentes", "Fujimoto", "Gallagher", "Gallegos", "Ganguly", "García",
    "Gardner", "Ghosh", "Gibson", "Giordano", "Gomes", "González", "Graham", "Grant", "Greenberg", "Gupta", "Gutiérrez", "Haddad",
    "Hakimi", "Hamilton", "Hansen", "Harper", "Hartmann", "Hassan", "Hawkins", "Hayashi", "Henderson", "Hernández", "Herrera", "Hoang",
    "Hoffman", "Holloway", "Horvath", "Hossain", "Huang", "Hughes", "Hussain", "Hutchinson", "Ibarra", "Igwe", "Ito", "Ivanova",
    "Jackson", "Jacobs", "Jansen", "Jaramillo", "Jensen", "Jiménez", "Johansson", "Jordan", "Joshi", "Juárez", "Kamau", "Kang", "Kapoor",
    "Karimi", "Kaur", "Keller", "Kelly", "Kennedy", "Khalil", "Khan", "Kim", "Klein", "Kobayashi", "Kovacs", "Kowalski", "Krüger",
    "Kumar", "Lambert", "Lara", "Larsen", "Lawson", "Le", "Leblanc", "Lee", "Leone", "Levine", "Li", "Lindgren", "Liu", "Lombardi",
    "López", "Lozano", "Lund", "Ma", "MacDonald", "Mahmoud", "Maldonado", "Malik", "Marsh", "Martínez", "Matsumoto", "Mbeki", "McCarthy",
    "McKenzie", "Medina", "Mehta", "Mejía", "Mendoza", "Mensah", "Meyer", "Miranda", "Mitchell", "Mohamed", "Molina", "Montoya",
    "Morales", "Moreau", "Morgan", "Moses", "Müller", "Muñoz", "Murphy", "Nakamura", "Nasser", "Navarro", "Nguyen", "Nielsen", "Nkosi",
    "Novak", "Núñez", "O'Brien", "O'Connor", "O'Neill", "Obi", "Ochoa", "Okafor", "Olsen", "Orozco", "Ortega", "Osei", "Owusu", "Pacheco",
    "Palmer", "Papadakis", "Park", "Patel", "Paz", "Peña", "Pereira", "Pérez", "Petersen", "Petrov", "Pham", "Pineda", "Popescu",
    "Powell", "Quinn", "Quintero", "Quispe", "Rahman", "Ramírez", "Ramos", "Rangel", "Rao", "Reddy", "Reyes", "Richter", "Rinaldi",
    "Ríos", "Rivera", "Robinson", "Rodríguez", "Rojas", "Romano", "Rosario", "Rossi", "Rousseau", "Ruiz", "Salazar", "Salinas", "Sánchez",
    "Sandoval", "Santos", "Sato", "Schneider", "Schultz", "Serrano", "Shah", "Sharma", "Shapiro", "Silva", "Simmons", "Singh", "Sokolov",
    "Solis", "Sorensen", "Soto", "Spencer", "Stein", "Stewart", "Suárez", "Sullivan", "Suzuki", "Svensson", "Takahashi", "Tamayo",
    "Tanaka", "Tapia", "Tavares", "Teixeira", "Tesfaye", "Thompson", "Torres", "Tran", "Trujillo", "Turner", "Ueda", "Valdez", "Valencia",
    "Vargas", "Vasquez", "Vega", "Velasco", "Villanueva", "Vogel", "Vu", "Wagner", "Walsh", "Wang", "Warren", "Watanabe", "Weaver",
    "Weber", "Whitfield", "Williams", "Wong", "Wright", "Wu", "Yamamoto", "Yang", "Yilmaz", "Yoder", "Young", "Zamora", "Zapata", "Zhang",
    "Zhou", "Ziegler",
];

/// Street names without type. None is a direction, a type or a number of its own.
#[rustfmt::skip]
pub(super) const STREETS: &[&str] = &[
    "Abbey", "Acorn", "Adams", "Alder", "Amber", "Anchor", "Apple", "Arbor", "Arlington", "Ash", "Aspen", "Aurora", "Autumn", "Azalea",
    "Bancroft", "Barley", "Bayberry", "Beacon", "Beech", "Belmont", "Birch", "Blossom", "Bluebird", "Bradford", "Bramble", "Briar",
    "Brookside", "Buckeye", "Burlington", "Buttercup", "Calhoun", "Cambridge", "Camelia", "Canterbury", "Cardinal", "Carlisle", "Catalpa",
    "Cedar", "Chapel", "Cherry", "Chestnut", "Churchill", "Clark", "Clayton", "Clover", "Colonial", "Columbia", "Concord", "Copper",
    "Cottonwood", "Cranberry", "Crescent", "Cypress", "Daffodil", "Dakota", "Davenport", "Dawson", "Delaware", "Denver", "Dogwood",
    "Dover", "Eagle", "Eastwood", "Edgewood", "Elder", "Ellsworth", "Elm", "Emerald", "Evergreen", "Fairfax", "Fairview", "Falcon",
    "Fern", "Fillmore", "Flint", "Foxglove", "Franklin", "Fremont", "Fulton", "Garfield", "Garnet", "Gettysburg", "Gibson", "Glenwood",
    "Granite", "Greenwood", "Grove Hill", "Hamilton", "Hampton", "Harbor", "Harrison", "Harvest", "Hawthorne", "Hazel", "Heather",
    "Hemlock", "Heritage", "Heron", "Hickory", "Highland", "Hillcrest", "Holly", "Hudson", "Huron", "Independence", "Iris", "Ironwood",
    "Ivy", "Jackson", "Jasmine", "Jefferson", "Juniper", "Kensington", "Kingston", "Lafayette", "Lakeview", "Lancaster", "Larch",
    "Laurel", "Lavender", "Lexington", "Liberty", "Lilac", "Lincoln", "Linden", "Locust", "Longfellow", "Madison", "Magnolia", "Mahogany",
    "Maple", "Marigold", "Marina", "Martin Luther King", "Meadow", "Melrose", "Meridian", "Millbrook", "Mohawk", "Monroe", "Monterey",
    "Moss", "Mulberry", "Myrtle", "Newport", "Nightingale", "Norwood", "Oak", "Oakdale", "Olive", "Orange", "Orchard", "Oxford",
    "Palmetto", "Patriot", "Peach", "Pecan", "Peony", "Pepper", "Pine", "Pioneer", "Plum", "Poplar", "Poppy", "Prairie", "Primrose",
    "Prospect", "Quail", "Quarry", "Quince", "Raven", "Redwood", "Revere", "Richmond", "Ridgewood", "Riverside", "Robin", "Rosewood",
    "Ruby", "Saddle", "Sage", "Salem", "Sandstone", "Sapphire", "Sequoia", "Sheridan", "Sherman", "Silver", "Somerset", "Sparrow",
    "Spruce", "Stanton", "Starling", "Sterling", "Stonewall", "Sumac", "Summit", "Sunset", "Swan", "Sycamore", "Tamarack", "Taylor",
    "Thistle", "Timber", "Tulip", "Tyler", "Valley Forge", "Vermont", "Victoria", "Violet", "Walnut", "Washington", "Waverly",
    "Wellington", "Westwood", "Wheatland", "Wildflower", "Willow", "Wilson", "Windsor", "Wisteria", "Woodland", "Yarrow", "Yorktown",
    "Yucca", "Zinnia",
];

/// Street types: written out, and as the Postal Service abbreviates them.
#[rustfmt::skip]
pub(super) const TYPES: &[(&str, &str)] = &[
    ("Street", "St"), ("Avenue", "Ave"), ("Road", "Rd"), ("Drive", "Dr"), ("Lane", "Ln"), ("Boulevard", "Blvd"), ("Court", "Ct"),
    ("Place", "Pl"), ("Terrace", "Ter"),
];

/// Directions: written out, and abbreviated. The first is none.
#[rustfmt::skip]
pub(super) const DIRECTIONS: &[(&str, &str)] = &[
    ("", ""), ("", ""), ("", ""), ("North", "N"), ("South", "S"), ("East", "E"), ("West", "W"),
];

/// Towns with a state; the ZIP codes of generated addresses follow an order of their own.
#[rustfmt::skip]
pub(super) const TOWNS: &[(&str, &str)] = &[
    ("Ashbury", "MA"), ("Brookfield", "NY"), ("Cedar Falls", "IA"), ("Dunmore", "PA"), ("Eastport", "ME"), ("Fairmont", "WV"),
    ("Glenville", "OH"), ("Harlan", "KY"), ("Ironton", "MI"), ("Jasper", "AL"), ("Kingsley", "MN"), ("Lakewood", "CO"), ("Milford", "CT"),
    ("Norwalk", "CA"), ("Oakridge", "OR"), ("Pinehurst", "NC"), ("Quincy", "IL"), ("Riverton", "UT"), ("Salem", "VA"), ("Troy", "TX"),
    ("Union", "NJ"), ("Vernon", "WI"), ("Westbrook", "GA"), ("Yorkville", "TN"),
];
